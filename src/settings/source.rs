//! Where settings come from: flags, the environment (`RECTIFY_…`), a TOML file and `config.default.toml`, in this order
//! of precedence.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use api::SettingSource;
use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Num, Value};
use secrecy::ExposeSecret;

use super::fault::{Fault, Faults};
use super::{Flags, Settings};
use crate::Failure;

/// The defaults of all settings, each with what it means.
pub(crate) const DEFAULTS: &str = include_str!("../config.default.toml");
/// Settings file in the working directory that is read if it exists and `--config` is not given.
const FILE: &str = "rectify.toml";
/// Prefix of the environment variables.
const PREFIX: &str = "RECTIFY_";

/// Variables with the prefix that are no settings: of images, of clients, of `rectify copy`, of `docker-compose.yml`
/// and of the stories.
const OTHERS: &[&str] = &["VERSION", "TOKEN", "KEEP_MAILS", "PORT", "COPY_TO"];
/// Beginnings of further ones: of the stories and benchmarks, and those that Kubernetes and Docker set for a service
/// named `rectify`.
const OTHER_BEGINNINGS: &[&str] = &["TEST_", "BENCH_", "SERVICE_", "PORT_"];

/// Whether Kubernetes or Docker set a variable for a service whose name begins with `rectify`, such as
/// `RECTIFY_API_SERVICE_HOST`, `RECTIFY_API_PORT` or `RECTIFY_API_PORT_80_TCP_ADDR`.
fn is_of_service(name: &str, value: &OsStr) -> bool {
    let is_address =
        || value.to_str().is_some_and(|value| ["tcp://", "udp://", "sctp://"].iter().any(|one| value.starts_with(one)));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_address())
        || name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// How alike a name must be to a setting's to be taken for a slip of it, from 0 to 1.
const ALIKE: f64 = 0.5;

/// The settings of all sources.
pub(super) struct Sources {
    defaults: Dict,
    file: Option<(PathBuf, Dict)>,
    environment: Dict,
    flags: Dict,
}

impl Sources {
    /// Reads all sources, and notes names that are no setting and values that are not of their setting's type. Fails at
    /// once if a source cannot be read at all.
    pub(super) fn read(flags: &Flags, faults: &mut Faults) -> Result<Self, Failure> {
        let bad = |error: &dyn std::fmt::Display| Failure::Usage(format!("设置有误：{error}"));
        let defaults: toml::Table = DEFAULTS.parse().map_err(|error| bad(&error))?;
        let defaults = values(defaults);
        let file = match &flags.config {
            Some(file) if !file.exists() => {
                let why = "不存在 / the settings file does not exist";
                return Err(Failure::Usage(format!("配置文件 {} {why}", file.display())));
            }
            Some(path) => Some(path.as_path()),
            None => Some(Path::new(FILE)).filter(|path| path.exists()),
        };
        let file = match file {
            Some(path) => Some((path.to_owned(), from_file(path, &defaults, faults)?)),
            None => None,
        };
        let environment = from_environment(&defaults, faults);
        let mut flags_given = Value::serialize(flags).map_err(|error| bad(&error))?.into_dict().unwrap_or_default();
        if let Some(url) = &flags.database_url {
            flags_given.insert("database_url".to_owned(), Value::from(url.expose_secret()));
        }
        Ok(Self { defaults, file, environment, flags: flags_given })
    }

    /// Merges the sources into the settings. A value that does not fit is noted, and replaced by the default.
    pub(super) fn settings(&self, faults: &mut Faults) -> Result<Settings, Failure> {
        let mut merged = self.defaults.clone();
        merged.extend(self.file.iter().flat_map(|(_, settings)| settings.clone()));
        merged.extend(self.environment.clone());
        merged.extend(self.flags.clone());
        loop {
            let error = match Figment::from(Serialized::defaults(&merged)).extract() {
                Ok(settings) => return Ok(settings),
                Err(error) => error,
            };
            let name = error.path.first().cloned().unwrap_or_default();
            let default = self.defaults.get(&name).filter(|default| merged.get(&name) != Some(*default));
            // Not the error's own text, which quotes the value.
            let Some(default) = default else { return Err(Failure::Usage(format!("设置有误：{name}"))) };
            faults.add(expected(&name, default));
            merged.insert(name, default.clone());
        }
    }

    /// Returns where each setting that is not a default was set.
    pub(super) fn places(&self) -> BTreeMap<String, (SettingSource, String)> {
        let mut places = BTreeMap::new();
        if let Some((path, settings)) = &self.file {
            let place = (SettingSource::File, path.display().to_string());
            places.extend(settings.keys().map(|name| (name.clone(), place.clone())));
        }
        let of_environment = |name: &String| (name.clone(), (SettingSource::Environment, variable(name)));
        places.extend(self.environment.keys().map(of_environment));
        let flag = |name: &String| format!("--{}", name.replace('_', "-"));
        places.extend(self.flags.keys().map(|name| (name.clone(), (SettingSource::Flag, flag(name)))));
        places
    }
}

/// Returns the name of the environment variable of a setting.
fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

fn values(table: toml::Table) -> Dict {
    Value::serialize(table).ok().and_then(Value::into_dict).unwrap_or_default()
}

/// Reads a settings file. Errors give the line number or the setting's name, never the text, which may contain a
/// password.
fn from_file(path: &Path, defaults: &Dict, faults: &mut Faults) -> Result<Dict, Failure> {
    let shown = path.display();
    let bad = |why: String| Failure::Usage(format!("配置文件 {shown} {why}"));
    let text = std::fs::read_to_string(path)
        .map_err(|error| bad(format!("无法读取：{error} / the settings file cannot be read")))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        bad(format!(
            "第 {line} 行不是有效的 TOML；文字须加引号，含有 \" 或 \\ 的用单引号 / line {line} is not valid TOML; \
             texts need quotes, single ones if they contain \" or \\"
        ))
    })?;
    let mut settings = values(table);
    settings.retain(|name, value| match defaults.get(name) {
        None if matches!(value, Value::Dict(..)) => {
            let (zh, en) = ("配置文件没有分节，设置直接写成 名称 = 值", "the file has no sections; write NAME = VALUE");
            faults.add(Fault::new(name.as_str(), zh, en).at(path.display()));
            false
        }
        None => {
            faults.add(unknown(name, name, defaults, str::to_owned).at(path.display()));
            false
        }
        Some(Value::String(..)) if value.as_str().is_none() => {
            faults.add(Fault::new(name.as_str(), "应为文字，须加引号", "must be a text in quotes").at(path.display()));
            false
        }
        Some(_) => true,
    });
    Ok(settings)
}

/// Reads settings from environment variables. An empty variable counts as unset. Text settings take the value verbatim.
fn from_environment(defaults: &Dict, faults: &mut Faults) -> Dict {
    let mut settings = Dict::new();
    for (given, value) in std::env::vars_os() {
        let Some((prefix, name)) = given.to_str().and_then(|given| given.split_at_checked(PREFIX.len())) else {
            continue;
        };
        let name = name.to_uppercase();
        let is_other = OTHERS.contains(&name.as_str())
            || OTHER_BEGINNINGS.iter().any(|other| name.starts_with(other))
            || is_of_service(&name, &value);
        if !prefix.eq_ignore_ascii_case(PREFIX) || is_other {
            continue;
        }
        let name = name.to_lowercase();
        let Some(default) = defaults.get(&name) else {
            faults.add(unknown(&variable(&name), &name, defaults, variable));
            continue;
        };
        match value.to_str().map(|value| from_text(value, default)) {
            None => faults.add(Fault::new(variable(&name), "应为 UTF-8 编码", "must be UTF-8")),
            Some(Some(Ok(value))) => _ = settings.insert(name, value),
            Some(Some(Err(()))) => faults.add(expected(&variable(&name), default)),
            Some(None) => {}
        }
    }
    settings
}

/// Reads a value of the environment as the type of its setting's default; none if it is empty.
fn from_text(text: &str, default: &Value) -> Option<Result<Value, ()>> {
    if let Value::String(..) = default {
        return (!text.is_empty()).then(|| Ok(Value::from(text)));
    }
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(match default {
        Value::Bool(..) => text.to_lowercase().parse::<bool>().map(Value::from).map_err(|_| ()),
        Value::Array(_, items) => list(text, matches!(items.first(), Some(Value::Num(..)))),
        _ => number(text),
    })
}

fn number(text: &str) -> Result<Value, ()> {
    text.parse::<i64>().map(|number| Value::from(Num::from(number))).map_err(|_| ())
}

/// Reads a list: as in TOML, or with commas or blanks between its items, with or without brackets.
fn list(text: &str, is_of_numbers: bool) -> Result<Value, ()> {
    if let Ok(mut table) = format!("list = {text}").parse::<toml::Table>()
        && let Some(list @ toml::Value::Array(_)) = table.remove("list")
    {
        return Value::serialize(list).map_err(|_| ());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let items = bare.split(|c: char| c.is_whitespace() || matches!(c, ',' | '，')).filter(|item| !item.is_empty());
    let item = |item: &str| {
        let bare = item.trim_matches(['"', '\'']);
        if is_of_numbers { number(bare) } else { Ok(Value::from(bare)) }
    };
    Ok(Value::from(items.map(item).collect::<Result<Vec<_>, ()>>()?))
}

/// Returns the fault of a value that is not of its setting's type, without the value.
fn expected(name: &str, default: &Value) -> Fault {
    let (zh, en) = match (name.trim_start_matches(PREFIX).to_lowercase().as_str(), default) {
        ("listen", _) => ("应为 地址:端口，如 127.0.0.1:8080", "must be ADDRESS:PORT, such as 127.0.0.1:8080"),
        ("desk", _) => ("应为 on 或 off", "must be on or off"),
        ("database_port" | "mail_port", _) => ("应为 0 至 65535 的端口", "must be a port from 0 to 65535"),
        (_, Value::Bool(..)) => ("应为 true 或 false", "must be true or false"),
        (_, Value::Array(_, items)) if !items.is_empty() => {
            ("应为整数的列表，如 30,7,1", "must be a list of whole numbers, such as 30,7,1")
        }
        (_, Value::Array(..)) => ("应为列表，各项以逗号隔开", "must be a list, with commas between its items"),
        (_, Value::Num(..)) => ("应为不小于 0 的整数", "must be a whole number, 0 or more"),
        _ => ("应为文字", "must be a text"),
    };
    Fault::new(name, zh, en)
}

/// Returns the fault of a name that is no setting. It proposes the nearest one, spelled as `spelled` spells it.
fn unknown(shown: &str, name: &str, defaults: &Dict, spelled: impl Fn(&str) -> String) -> Fault {
    let alike = |known: &&String| strsim::normalized_damerau_levenshtein(name, known);
    let nearest = defaults.keys().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match nearest.filter(|nearest| alike(nearest) >= ALIKE) {
        Some(nearest) => {
            let nearest = spelled(nearest);
            Fault::new(
                shown,
                format!("没有这个设置，应为 {nearest}？"),
                format!("there is no such setting; did you mean {nearest}?"),
            )
        }
        None => Fault::new(
            shown,
            "没有这个设置，rectify config 列出全部设置",
            "there is no such setting; rectify config lists them all",
        ),
    }
}
