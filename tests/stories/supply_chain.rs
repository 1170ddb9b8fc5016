//! The crates in Cargo.lock satisfy deny.toml: no known advisories, only allowed licences and sources. Needs no
//! network, since the advisories are checked in; `cargo deny check` uses the current ones.

use std::collections::BTreeSet;
use std::process::Command;

use semver::{Version, VersionReq};
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

use crate::support::read;

fn rules() -> toml::Table {
    read("deny.toml".into()).parse().unwrap()
}

fn texts<'a>(rules: &'a toml::Table, section: &str, name: &str) -> Vec<&'a str> {
    rules[section][name].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

/// Returns name, version and source of each crate in Cargo.lock.
fn crates() -> Vec<(String, Version, Option<String>)> {
    let lock: toml::Table = read("Cargo.lock".into()).parse().unwrap();
    let of = |package: &toml::Value, name: &str| package.get(name).map(|text| text.as_str().unwrap().to_owned());
    let packages = lock["package"].as_array().unwrap().iter();
    packages
        .map(|one| (of(one, "name").unwrap(), of(one, "version").unwrap().parse().unwrap(), of(one, "source")))
        .collect()
}

/// Returns the advisories that affect one of the crates and are not accepted.
fn concerned(crates: &[(String, Version, Option<String>)], accepted: &[&str]) -> Vec<String> {
    let list = read("tests/advisories.txt".into());
    let mut found = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(4, ' ');
        let [name, number, kind] = [(); 3].map(|()| parts.next().unwrap());
        let safe: Vec<VersionReq> = parts.next().map_or(Vec::new(), |safe| {
            safe.split(" | ").map(|one| one.parse().unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
        });
        let hit =
            crates.iter().filter(|(known, version, _)| known == name && !safe.iter().any(|safe| safe.matches(version)));
        found.extend(
            hit.filter(|_| !accepted.contains(&number))
                .map(|(_, version, _)| format!("{number} ({kind}): {name} {version}")),
        );
    }
    found
}

#[test]
fn no_crate_has_a_known_advisory() {
    let rules = rules();
    let accepted = texts(&rules, "advisories", "ignore");
    let mut crates = crates();
    assert_eq!(concerned(&crates, &accepted), Vec::<String>::new(), "update the crate, or say in deny.toml why not");
    crates.push(("time".to_owned(), Version::new(0, 1, 45), None));
    assert_eq!(
        concerned(&crates, &accepted),
        ["RUSTSEC-2020-0071 (vulnerability): time 0.1.45"],
        "an affected version must be found"
    );
    for number in accepted {
        assert!(
            concerned(&crates, &[]).iter().any(|found| found.starts_with(number)),
            "{number} is accepted in deny.toml but affects no crate"
        );
    }
}

#[test]
fn crates_come_from_crates_io_and_none_is_banned() {
    let rules = rules();
    let banned: Vec<(String, VersionReq)> = rules["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ban| ban["crate"].as_str().unwrap().split_once('@').unwrap())
        .map(|(name, versions)| (name.to_owned(), versions.parse().unwrap()))
        .collect();
    for (name, version, source) in crates() {
        let is_ours = source.is_none() && name.starts_with("rectify");
        let is_known = source.as_deref() == Some("registry+https://github.com/rust-lang/crates.io-index");
        assert!(is_ours || is_known, "{name} {version} is from {source:?}");
        assert!(!banned.iter().any(|(one, versions)| *one == name && versions.matches(&version)), "{name} {version}");
    }
}

#[test]
fn every_licence_is_one_of_those_allowed() {
    let rules = rules();
    let allowed: Vec<Licensee> =
        texts(&rules, "licenses", "allow").iter().map(|one| Licensee::parse(one).unwrap()).collect();
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &platform])
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = told["packages"].as_array().unwrap();
    assert!(packages.len() > 300);
    let mut refused = BTreeSet::new();
    for package in packages {
        let license = package["license"].as_str().unwrap_or_default();
        let is_allowed = Expression::parse_mode(license, ParseMode::LAX)
            .is_ok_and(|license| license.evaluate(|wanted| allowed.iter().any(|one| one.satisfies(wanted))));
        if !is_allowed {
            refused.insert(format!("{} {}: {license}", package["name"], package["version"]));
        }
    }
    assert_eq!(refused, BTreeSet::new());
}
