//! The documentation: the commands of each chapter are run, the list of settings is that of the program, and every link
//! leads somewhere.
//!
//! The blocks of shell commands of a chapter are run in one folder, from the first to the last, with the program as
//! `rectify`. What cannot be run there, such as Docker, has a comment above it, `<!-- run by FILE -->`, and that file
//! has the commands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use rust_xlsxwriter::Workbook;
use serde_json::json;
use tempfile::TempDir;

use crate::support::ledgers::{CITY_ROWS, CityRow, city};
use crate::support::receiver::Receiver;
use crate::support::{PASSWORD, Server, World, free_port, read};

/// Where the address of a server stands in the documentation.
const USUAL: &str = "127.0.0.1:8080";
const CITY_OFFICE: &str = "云溪市生态环境保护督察整改办";

/// A block of shell commands.
struct Block {
    commands: String,
    /// The file that runs it instead of a story.
    elsewhere: Option<String>,
}

/// Returns the chapters of the book, as paths from the root of the repository.
fn chapters() -> Vec<String> {
    links(&read("docs/SUMMARY.md".into())).iter().map(|link| joined("docs", link)).collect()
}

/// Returns the blocks of shell commands of a chapter.
fn blocks(chapter: &str) -> Vec<Block> {
    let text = read(chapter.into());
    let (mut blocks, mut open, mut before) = (Vec::new(), None::<Block>, "");
    for line in text.lines() {
        let bare = line.trim();
        match &mut open {
            Some(block) if bare == "```" => {
                assert!(!block.commands.is_empty(), "{chapter}: an empty block");
                blocks.extend(open.take());
            }
            Some(block) => _ = writeln!(block.commands, "{bare}"),
            None if bare == "```sh" => {
                let elsewhere = before.strip_prefix("<!-- run by ").and_then(|rest| rest.strip_suffix(" -->"));
                open = Some(Block { commands: String::new(), elsewhere: elsewhere.map(str::to_owned) });
            }
            None => {}
        }
        before = bare;
    }
    blocks
}

type Preparation = fn(&Place);

/// A folder in which the commands of a chapter are run, and what they speak of.
struct Place {
    world: World,
    environment: Vec<(&'static str, String)>,
    /// What readers replace by something of their own, and what the story takes for it.
    own: Vec<(&'static str, String)>,
    /// What has to be done before the block with these words.
    before: Vec<(&'static str, Preparation)>,
    /// What is stopped and removed at the end: stand-ins for programs, a server, a receiver.
    kept: (TempDir, Option<Server>, Option<Receiver>),
}

/// The program, whose server goes on while the next commands are run, until the chapter ends.
const RECTIFY: &str = r#"#!/bin/sh
case " $* " in *" serve "*) ;; *) exec "$PROGRAM" "$@" ;; esac
if [ -e serve.pid ]; then
  kill "$(cat serve.pid)"
  for _ in $(seq 300); do kill -0 "$(cat serve.pid)" 2>/dev/null || break; sleep 0.1; done
fi
"$PROGRAM" "$@" >serve.log 2>&1 &
echo $! >serve.pid
until "$PROGRAM" health >/dev/null 2>&1; do kill -0 $! || { cat serve.log; exit 1; }; sleep 0.1; done
"#;
/// Cargo, which has built the program and runs the tests already.
const CARGO: &str = r#"#!/bin/sh
case $1 in
  build | test) exit ;;
  run) while [ "$1" != -- ]; do shift; done; shift; exec rectify "$@" ;;
esac
exit 1
"#;
/// The curl of the machine, which fails where a server refuses.
const CURL: &str = r#"#!/bin/sh
PATH=${PATH#*:}
case " $*" in *" --fail "* | *" -f"*) exec curl --silent --show-error "$@" ;; esac
exec curl --silent --show-error --fail-with-body "$@"
"#;
/// A program for encryption, which is not needed to see that what it gets is a backup.
const AGE: &str = "#!/bin/sh\nexec cat\n";

impl Place {
    /// A folder without a ledger.
    fn empty() -> Self {
        let (mut world, programs) = (World::sqlite(), TempDir::new().unwrap());
        for (name, script) in [("rectify", RECTIFY), ("cargo", CARGO), ("curl", CURL), ("age", AGE)] {
            let path = programs.path().join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        // The place of the ledger where nothing is set.
        std::fs::create_dir(world.dir.path().join("data")).unwrap();
        world.url = format!("sqlite:{}", world.dir.path().join("data/rectify.db").display());
        let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
        let environment = vec![
            ("PATH", path),
            ("PROGRAM", env!("CARGO_BIN_EXE_rectify").to_owned()),
            ("RECTIFY_LISTEN", format!("127.0.0.1:{}", free_port())),
            ("RECTIFY_LOG", "warn".to_owned()),
        ];
        Self { world, environment, own: vec![], before: vec![], kept: (programs, None, None) }
    }

    /// A folder with the invented ledger.
    fn demo() -> Self {
        let place = Self::empty();
        place.world.done(&["demo"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.dir.path().join(name)
    }

    /// Copies a file of the repository to the same place in the folder.
    fn copy(&self, name: &str) {
        std::fs::copy(name, self.path(name)).unwrap();
    }

    /// Runs a block, and returns what went wrong.
    fn run(&self, chapter: &str, block: &str) -> Option<String> {
        for (words, prepare) in &self.before {
            if block.contains(words) {
                prepare(self);
            }
        }
        let address = &self.environment.iter().find(|(name, _)| *name == "RECTIFY_LISTEN").unwrap().1;
        let mut commands = block.replace(USUAL, address);
        for (words, own) in &self.own {
            commands = commands.replace(words, own);
        }
        // Variables alone do nothing until a program reads them.
        if commands.lines().all(|line| line.starts_with("RECTIFY_") && !line.contains(' ')) {
            commands += "rectify config\n";
        }
        let mut child = Command::new("bash")
            .args(["-aeuo", "pipefail", "-c", &commands])
            .current_dir(self.world.dir.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that asks for no password does not read it.
        let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        // Of a GraphQL answer with status 200.
        let is_refused = said.contains("\"errors\":[{");
        (!output.status.success() || is_refused).then(|| format!("{chapter}:\n{commands}{}\n{said}", output.status))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(id) = std::fs::read_to_string(self.path("serve.pid")) {
            let _ = Command::new("kill").arg(id.trim()).status();
        }
    }
}

/// Returns the folder that a chapter needs.
fn place(chapter: &str) -> Place {
    match chapter {
        "README.md" => own_ledger(),
        "docs/install.md" => released(),
        "docs/backup.md" => backed_up(),
        "docs/api.md" => served(),
        "docs/webhooks.md" => received(),
        "docs/operate.md" | "docs/sign-in.md" | "docs/upgrade.md" => Place::demo(),
        _ => Place::empty(),
    }
}

/// The README: the demo, then a ledger of one's own.
fn own_ledger() -> Place {
    let mut place = Place::empty();
    place.copy("Makefile");
    place.copy(".env.example");
    place.world.file("台账.xlsx", &city(&CITY_ROWS));
    // With units that are not known yet, the import would only ask.
    place.before = vec![("--dry-run", |place| {
        let file = place.path("台账.xlsx").to_string_lossy().into_owned();
        let round = ["--round", "第二轮中央生态环境保护督察", "--region", "540329", "--issued-by", "540300"];
        place.world.done(&[&["import", &file][..], &round, &["--accept", "--create-units"]].concat());
    })];
    place
}

/// The files of a release.
fn released() -> Place {
    let place = Place::empty();
    place.copy(".env.example");
    let pack = "tar -C \"$(dirname \"$(command -v rectify)\")\" -czf rectify-linux-amd64.tar.gz rectify
                sha256sum rectify-linux-amd64.tar.gz > SHA256SUMS-amd64";
    assert_eq!(place.run("the files of a release", pack), None);
    place
}

/// A ledger to back up and to move.
fn backed_up() -> Place {
    let mut place = Place::demo();
    std::fs::create_dir(place.path("backups")).unwrap();
    place.own = vec![
        ("/backups", "backups".to_owned()),
        ("postgres://rectify:PASSWORD@db.county.example/rectify", "sqlite:there.db".to_owned()),
    ];
    place.before = vec![("rectify restore", |place| std::fs::remove_dir_all(place.path("data")).unwrap())];
    place
}

/// A server with an account of a unit and one of its office.
fn served() -> Place {
    let mut place = Place::demo();
    let world = &place.world;
    let server = world.serve();
    let found = server.data("{ assignment(id: \"assignment_7\") { unit { name } measure { id } } }", &json!({}));
    let answer = &found["assignment"];
    let [unit, measure] = [&answer["unit"]["name"], &answer["measure"]["id"]].map(|text| text.as_str().unwrap());
    let token = world.account("unit@example.cn", "responsible-unit", unit);
    let office = world.account("office@example.cn", "regional-office", CITY_OFFICE);
    // The beginnings by which a file is recognised.
    world.file("验收照片.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0");
    world.file("报告.pdf", b"%PDF-1.7\n");
    let mut film = b"\0\0\0\x18ftypisom\0\0\0\0isommp41".to_vec();
    film.resize(9_000_000, 0);
    world.file("录像.mp4", &film);
    world.file("县.xlsx", &city(&[UNAMBIGUOUS]));
    world.done(&["job", "run", "overdue"]);
    world.done(&["job", "run", "deliver-mail"]);
    server.ask(
        &json!({"query": "{ __typename }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash":
        "7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b"}}}),
        &[],
    );
    place.own = vec![
        ("\"…\"", format!("\"{PASSWORD}\"")),
        ("measure_12", measure.to_owned()),
        ("measure_49.mail_7.1798502533.236e…", link_of_a_mail(world)),
        ("region=540329", "region=990121".to_owned()),
        ("issuedBy=540300", "issuedBy=990100".to_owned()),
    ];
    place.environment.extend([("SERVER", server.base.clone()), ("TOKEN", token), ("OFFICE_TOKEN", office)]);
    place.before = vec![("sheet=progress", fill_in)];
    place.kept.1 = Some(server);
    place
}

/// A row of a ledger whose units are those of the demo.
const UNAMBIGUOUS: CityRow = (
    Some("（五）草原超载过牧问题突出。载畜量居高不下。"),
    "1.核定载畜量。",
    "2027年12月31日",
    "云溪市水利局",
    "白河县人民政府",
    "已核定。",
);

/// Returns the token in a link of a mail that was written to a file.
fn link_of_a_mail(world: &World) -> String {
    let mails = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap();
    let mut pages =
        mails.map(|mail| mail.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "html"));
    let link = |page: PathBuf| Some(read(page).split_once("&#x2f;m&#x2f;")?.1.split('"').next()?.to_owned());
    pages.find_map(link).unwrap()
}

/// Fills in the sheet 进展填报 for one assignment.
fn fill_in(place: &Place) {
    let token = &place.environment.iter().find(|(name, _)| *name == "TOKEN").unwrap().1;
    let server = place.kept.1.as_ref().unwrap();
    let found = server.data_as(token, "{ assignment(id: \"assignment_7\") { version } }", &json!({}));
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("进展填报").unwrap();
    let cells = [
        ("编号", "assignment_7"),
        ("版本", &found["assignment"]["version"].to_string()),
        ("报告期", "2026-10"),
        ("本期进展", "已完成排查，正在整改。"),
        ("完成日期", ""),
    ];
    for (column, (heading, cell)) in (0..).zip(cells) {
        sheet.write(0, column, heading).unwrap();
        sheet.write(1, column, cell).unwrap();
    }
    place.world.file("台账.xlsx", &book.save_to_buffer().unwrap());
}

/// A receiver of messages.
fn received() -> Place {
    let mut place = Place::demo();
    place.world.done(&["region", "load", "540329"]);
    place.world.file("sec.txt", b"SEC0123456789");
    let receiver = Receiver::start("ok");
    place.own = vec![("https://bus.example.cn/rectify", receiver.url.clone())];
    place.environment.push(("RECTIFY_WEBHOOK_ALLOW", "127.0.0.1".to_owned()));
    place.kept.2 = Some(receiver);
    place
}

#[test]
fn the_commands_of_each_chapter_are_run() {
    let mut faults = Vec::new();
    let mut count = 0;
    for chapter in chapters() {
        let blocks: Vec<Block> = blocks(&chapter).into_iter().filter(|block| block.elsewhere.is_none()).collect();
        if blocks.is_empty() {
            continue;
        }
        let place = place(&chapter);
        count += blocks.len();
        faults.extend(blocks.iter().filter_map(|block| place.run(&chapter, &block.commands)));
        let all: String = blocks.iter().map(|block| block.commands.as_str()).collect();
        faults.extend(
            place
                .own
                .iter()
                .filter(|(words, _)| !all.contains(words))
                .map(|(words, _)| format!("{chapter}: no command has {words} any more")),
        );
    }
    assert!(count > 30, "{count} blocks");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Returns the commands in shell text, each as its words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ").replace("|\n", " ").replace("\"${compose[@]}\"", "docker compose");
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let lines = lines.filter(|line| !line.trim_start().starts_with('#'));
    lines
        .map(|line| {
            let line = line.replace(['"', ';'], " ");
            // Where a server is differs.
            let word = |word: &str| word.split(":$port").next().unwrap_or_default().replace(":8080", "");
            line.split_whitespace().map(word).collect::<Vec<_>>()
        })
        .filter(|words| !words.is_empty())
        .collect()
}

#[test]
fn what_is_run_elsewhere_is_there() {
    let mut count = 0;
    for chapter in chapters() {
        for block in blocks(&chapter) {
            let Some(file) = block.elsewhere else { continue };
            let there = commands(&read(PathBuf::from(&file)));
            for command in commands(&block.commands) {
                // With further options, as a part of a line, with other files.
                let has = |line: &Vec<String>| {
                    let mut words = line.iter();
                    let wanted = command.iter().take_while(|word| !word.starts_with(['<', '>']));
                    wanted.into_iter().all(|wanted| words.any(|word| word == wanted))
                };
                assert!(there.iter().any(has), "{chapter}: {file} does not run {command:?}");
                count += 1;
            }
        }
    }
    assert!(count > 10, "{count} commands");
}

/// Returns what stands in backticks in the sentences and tables of a text.
fn quoted(text: &str) -> Vec<String> {
    let sentences: String = text.split("\n```").step_by(2).collect();
    let parts = sentences.split('`').skip(1).step_by(2);
    parts.map(|part| part.replace("\\|", "|").split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn commands_in_sentences_exist() {
    let world = World::sqlite();
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut help = |command: &[&str]| {
        let key: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        helps.entry(key).or_insert_with(|| world.done(&[command, &["--help"]].concat())).clone()
    };
    let makefile = read("Makefile".into());
    let mut count = 0;
    for chapter in chapters().iter().filter(|chapter| *chapter != "CHANGELOG.md") {
        for part in quoted(&read(PathBuf::from(chapter))) {
            let part = part.replace(['[', ']'], "");
            let words: Vec<&str> = part.split(' ').collect();
            match words.as_slice() {
                ["make", target, ..] => {
                    assert!(makefile.contains(&format!("\n{target}: ")), "{chapter}: {part}");
                }
                ["rectify", rest @ ..] if !rest.is_empty() => {
                    let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || "-|".contains(c));
                    let names: Vec<&str> = rest
                        .iter()
                        .take(2)
                        .take_while(is_name)
                        .filter(|name| !name.starts_with('-'))
                        .copied()
                        .collect();
                    let Some((first, second)) = names.split_first() else { continue };
                    let seconds = second.first().map_or(Vec::new(), |names| names.split('|').collect());
                    let mut texts = help(&[first]);
                    for second in seconds {
                        texts += &help(&[first, second]);
                    }
                    for flag in rest.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
                        assert!(texts.contains(flag), "{chapter}: {part}: there is no {flag}");
                    }
                    count += 1;
                }
                _ => {}
            }
        }
    }
    assert!(count > 50, "{count} commands");
}

/// Returns the list of settings as a table: settings that one text of `rectify config --defaults` explains are a row.
fn settings_table(defaults: &str) -> String {
    let names: BTreeSet<String> = defaults.parse::<toml::Table>().unwrap().keys().cloned().collect();
    let (mut table, mut text, mut settings) =
        ("| Setting and default | Meaning |\n|---|---|\n".to_owned(), vec![], vec![]);
    for line in defaults.lines().chain([""]) {
        let comment = line.strip_prefix('#').map(str::trim);
        if (line.is_empty() || comment.is_some()) && !settings.is_empty() {
            let meaning = text.join(" ").replace("  ", "<br>");
            _ = writeln!(table, "| {} | {} |", settings.join("<br>"), marked(&meaning, &names));
            settings.clear();
            text.clear();
        }
        match comment {
            Some(comment) => text.push(comment.to_owned()),
            None if line.is_empty() => text.clear(),
            None if line.contains(" = ") => settings.push(format!("`{line}`")),
            // A list on several lines.
            None => {
                let last: &mut String = settings.last_mut().unwrap();
                last.pop();
                _ = write!(last, "{}{}`", if last.ends_with('[') { "" } else { " " }, line.trim());
            }
        }
    }
    table
}

/// Returns a text as Markdown, with the names of settings as code.
fn marked(text: &str, names: &BTreeSet<String>) -> String {
    let mut marked = String::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if names.contains(word) && word.contains('_') {
            _ = write!(marked, "`{word}`");
        } else {
            marked += &word.replace('_', "\\_");
        }
        let mut others = after.chars();
        match others.next() {
            Some('<') if !after.starts_with("<br>") => marked += "&lt;",
            Some('|') => marked += "\\|",
            Some(other) => marked.push(other),
            None => {}
        }
        rest = others.as_str();
    }
    marked
}

#[test]
fn the_settings_are_listed() {
    const FILE: &str = "docs/configure.md";
    let chapter = read(FILE.into());
    let (before, rest) = chapter.split_once("<!-- settings:begin").unwrap();
    let (first, rest) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once("<!-- settings:end -->").unwrap();
    let table = settings_table(&World::sqlite().done(&["config", "--defaults"]));
    let wanted = format!("{before}<!-- settings:begin{first}\n{table}<!-- settings:end -->{after}");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(FILE, &wanted).unwrap();
    }
    assert_eq!(read(FILE.into()), wanted, "the settings have changed: run `make settings`");
}

#[test]
fn the_workflow_names_every_status() {
    let (schema, chapter) = (World::sqlite().done(&["schema"]), read("docs/workflow.md".into()));
    for kind in ["Status", "CaseState"] {
        let (_, values) = schema.split_once(&format!("\nenum {kind} {{")).unwrap();
        let (values, _) = values.split_once("\n}").unwrap();
        let codes =
            values.lines().map(str::trim).filter(|line| line.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        for code in codes.filter(|code| !code.is_empty()) {
            assert!(chapter.contains(&format!("| `{code}` |")), "{kind}: {code}");
        }
    }
}

/// Returns a path relative to a folder as a path from the root of the repository.
fn joined(folder: &str, link: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(folder).join(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{folder}: {link} leads out of the repository"),
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

/// Returns what a text of Markdown links to or shows, without what stands in code.
fn links(text: &str) -> Vec<String> {
    let sentences: String = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    let plain: String = sentences.split('`').step_by(2).collect::<Vec<_>>().join("x");
    let targets = plain.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let shown = plain.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    targets.chain(shown).map(str::to_owned).filter(|link| !link.contains(':')).collect()
}

/// Returns the anchors of the headings of a text of Markdown, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let sentences: String = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    let headings = sentences
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

fn is_markdown(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "md")
}

/// Returns the texts of Markdown in a folder of the repository and below.
fn documents(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "data", "node_modules", ".git"].contains(&name.as_str()) {
            documents(&path, found);
        } else if is_markdown(&path) {
            found.push(path.strip_prefix(".").unwrap().to_string_lossy().into_owned());
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut found = Vec::new();
    documents(Path::new("."), &mut found);
    assert!(found.len() > 20, "{found:?}");
    let (chapters, mut faults) = (chapters(), Vec::new());
    let in_book = |file: &String| chapters.contains(file) || file == "docs/SUMMARY.md";
    for document in &found {
        let folder = Path::new(document).parent().unwrap().to_string_lossy();
        for link in links(&read(PathBuf::from(document))) {
            let (file, heading) =
                link.split_once('#').map_or((link.as_str(), None), |(file, heading)| (file, Some(heading)));
            let file = if file.is_empty() { document.clone() } else { joined(&folder, file) };
            if !Path::new(&file).is_file() {
                faults.push(format!("{document}: there is no file {file}"));
            } else if heading.is_some_and(|heading| !anchors(&read(PathBuf::from(&file))).contains(heading)) {
                faults.push(format!("{document}: there is no heading {link}"));
            } else if chapters.contains(document) && is_markdown(Path::new(&file)) && !in_book(&file) {
                faults.push(format!("{document}: {file} is no chapter, so the link is dead in the book"));
            }
        }
    }
    let of_book = |document: &&String| document.starts_with("docs/") && *document != "docs/SUMMARY.md";
    faults.extend(
        found
            .iter()
            .filter(of_book)
            .filter(|document| !chapters.contains(document))
            .map(|document| format!("{document} is not in docs/SUMMARY.md")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
