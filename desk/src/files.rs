//! The files of the desk, which are part of the program: pages, shared templates, assets and the words of the forms. A
//! debug build reads them from the folder of the crate, so that a changed template needs no new build.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "."]
#[include = "pages/**"]
#[include = "shared/**"]
#[include = "assets/**"]
#[include = "acts.toml"]
struct Files;

/// Returns the bytes of a file, by its path in the crate.
pub(crate) fn bytes(path: &str) -> Option<Cow<'static, [u8]>> {
    Files::get(path).map(|file| file.data)
}

/// Returns the text of a file, by its path in the crate.
pub(crate) fn text(path: &str) -> Option<String> {
    bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the SHA-256 of a file.
pub(crate) fn digest(path: &str) -> Option<[u8; 32]> {
    Files::get(path).map(|file| file.metadata.sha256_hash())
}

/// Returns the names of the pages: the folders in `pages/`.
pub(crate) fn pages() -> Vec<String> {
    let folder = |path: Cow<'static, str>| Some(path.strip_prefix("pages/")?.strip_suffix("/page.toml")?.to_owned());
    Files::iter().filter_map(folder).collect()
}

/// Returns the paths of the templates.
#[cfg(test)]
pub(crate) fn templates() -> Vec<String> {
    let is_template = |path: &Cow<'static, str>| path.strip_suffix(".html").is_some();
    Files::iter().filter(is_template).map(Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{bytes, digest, text};

    #[test]
    fn what_others_wrote_is_as_they_published_it() {
        let sums = text("assets/SHA256SUMS").unwrap();
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").unwrap();
            let path = format!("assets/{name}");
            assert!(bytes(&path).is_some(), "{name} is missing");
            assert_eq!(hex::encode(digest(&path).unwrap()), sum, "{name}");
        }
        assert!(sums.contains("echarts"), "{sums}");
    }
}
