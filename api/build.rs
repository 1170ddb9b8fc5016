//! Compresses the assets of the pages: the program contains them as it sends them to nearly all browsers.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    for entry in fs::read_dir("assets")? {
        let path = entry?.path();
        let is_asset = path.extension().is_some_and(|kind| kind == "js" || kind == "css");
        let Some(name) = path.file_name().and_then(OsStr::to_str).filter(|_| is_asset) else { continue };
        let file = File::create(Path::new(&folder).join(format!("{name}.gz")))?;
        let mut compressed = GzEncoder::new(file, Compression::best());
        compressed.write_all(&fs::read(&path)?)?;
        compressed.finish()?;
    }
    Ok(())
}
