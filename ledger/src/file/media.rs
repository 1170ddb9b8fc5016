//! The file types that are accepted as evidence: documents, images, recordings and archives, and the extensions of
//! each.
//!
//! A type is recognised by the first bytes of a file, never by its name. The extension only distinguishes types that
//! begin alike, and must fit the content.

use planner::Bilingual;

/// How many of a file's first bytes are examined: 64 KiB.
pub const HEAD: usize = 64 << 10;

/// A media type and its file name extensions.
type Kind = (&'static str, &'static [&'static str]);

/// Types that cannot be distinguished by their first bytes. The extension decides; without one it is the first type.
type Family = &'static [Kind];

const PDF: Family = &[("application/pdf", &["pdf"])];
/// Types that are zip archives. Documents with macros (`docm`, `xlsm` …), `jar` and `apk` are excluded on purpose.
const ZIP: Family = &[
    ("application/zip", &["zip"]),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"]),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"]),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx"]),
    ("application/ofd", &["ofd"]),
    ("application/vnd.oasis.opendocument.text", &["odt"]),
    ("application/vnd.oasis.opendocument.spreadsheet", &["ods"]),
    ("application/vnd.oasis.opendocument.presentation", &["odp"]),
    ("application/wps-office.wps", &["wps"]),
    ("application/wps-office.et", &["et"]),
    ("application/wps-office.dps", &["dps"]),
];
/// Types in Microsoft's compound file format.
const COMPOUND: Family = &[
    ("application/x-ole-storage", &[]),
    ("application/msword", &["doc"]),
    ("application/vnd.ms-excel", &["xls"]),
    ("application/vnd.ms-powerpoint", &["ppt"]),
    ("application/wps-office.wps", &["wps"]),
    ("application/wps-office.et", &["et"]),
    ("application/wps-office.dps", &["dps"]),
];
const TEXT: Family =
    &[("text/plain", &["txt", "md", "log"]), ("text/csv", &["csv"]), ("text/tab-separated-values", &["tsv"])];
/// Video and audio in the ISO base media format. They are one family because cameras and phones mix up the extensions.
const MOVIE: Family = &[
    ("video/mp4", &["mp4", "m4v"]),
    ("video/quicktime", &["mov", "qt"]),
    ("audio/mp4", &["m4a"]),
    ("video/3gpp", &["3gp", "3gpp"]),
];
const HEIC: Family = &[("image/heic", &["heic", "heif"])];
/// The families by the media type that the `infer` library reports.
const OTHERS: &[(&str, Family)] = &[
    ("image/jpeg", &[("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"])]),
    ("image/png", &[("image/png", &["png"])]),
    ("image/gif", &[("image/gif", &["gif"])]),
    ("image/webp", &[("image/webp", &["webp"])]),
    ("image/bmp", &[("image/bmp", &["bmp", "dib"])]),
    ("image/tiff", &[("image/tiff", &["tif", "tiff"])]),
    ("video/webm", &[("video/webm", &["webm"])]),
    ("audio/mpeg", &[("audio/mpeg", &["mp3"])]),
    ("audio/ogg", &[("audio/ogg", &["ogg", "oga", "opus"])]),
    ("audio/opus", &[("audio/ogg", &["ogg", "oga", "opus"])]),
    ("audio/x-flac", &[("audio/flac", &["flac"])]),
    ("audio/x-wav", &[("audio/wav", &["wav"])]),
    ("audio/amr", &[("audio/amr", &["amr"])]),
    ("audio/aac", &[("audio/aac", &["aac"])]),
    ("application/vnd.rar", &[("application/vnd.rar", &["rar"])]),
    ("application/x-7z-compressed", &[("application/x-7z-compressed", &["7z"])]),
    ("application/zip", ZIP),
    ("application/pdf", PDF),
    ("application/msword", COMPOUND),
];

/// Why a file is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Its content is not of an accepted type.
    Kind(Bilingual),
    /// It is empty, or its name contradicts its content.
    Content(Bilingual),
}

impl Unfit {
    /// Returns what is wrong and how to correct it, in Chinese and English.
    pub fn message(&self) -> &Bilingual {
        match self {
            Self::Kind(message) | Self::Content(message) => message,
        }
    }
}

/// Returns the media type of a file by its first [`HEAD`] bytes (all if it has fewer) and its name, or why it is not
/// accepted.
pub fn recognise(head: &[u8], name: &str) -> Result<&'static str, Unfit> {
    if head.is_empty() {
        return Err(Unfit::Content(Bilingual::new("文件是空的，请重新选择", "the file is empty: choose another")));
    }
    let family = family(head).ok_or_else(unknown)??;
    let Some(ending) = ending(name) else { return family.first().map(|kind| kind.0).ok_or_else(unknown) };
    family.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map(|kind| kind.0).ok_or_else(|| {
        let fitting: Vec<&str> = family.iter().flat_map(|(_, endings)| *endings).copied().collect();
        let fitting = fitting.join("、.");
        Unfit::Content(Bilingual::new(
            format!("文件名以“.{ending}”结尾，与其内容不符；按内容应为 .{fitting}。请核对文件，改正文件名后再上传"),
            format!("the name ends in .{ending}, but its content fits .{fitting}; check the file and correct its name"),
        ))
    })
}

/// Checks whether [`recognise`] can return this media type. No other type is sent to browsers.
pub fn is_kept(media_type: &str) -> bool {
    let families = [PDF, ZIP, COMPOUND, TEXT, MOVIE, HEIC];
    let known = families.into_iter().chain(OTHERS.iter().map(|(_, family)| *family));
    known.flatten().any(|(known, _)| *known == media_type)
}

fn unknown() -> Unfit {
    Unfit::Kind(Bilingual::new(
        "不接受这种文件：可上传 PDF、OFD、Office 与 WPS 文档，图片，音频、视频，\
         纯文本（UTF-8 或 GB18030）和 zip、rar、7z 压缩包",
        "this type of file is not accepted; upload PDF, OFD, Office or WPS documents, images, audio, video, plain text \
         (UTF-8 or GB18030), or zip, rar and 7z archives",
    ))
}

fn active() -> Unfit {
    Unfit::Kind(Bilingual::new(
        "不接受网页、SVG、XML 和脚本：请另存为 PDF 或图片后上传",
        "web pages, SVG, XML and scripts are not accepted; save the file as PDF or as an image and upload that",
    ))
}

/// Returns the extension of a name in lower case, if it has one that an operating system would act on.
fn ending(name: &str) -> Option<String> {
    let (_, ending) = name.rsplit_once('.')?;
    let is_plain = (1..=15).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then(|| ending.to_ascii_lowercase())
}

/// Returns the family of types that begin with these bytes, `None` if they are of no accepted type, or the refusal of
/// active content.
fn family(head: &[u8]) -> Option<Result<Family, Unfit>> {
    // Text comes first: for some types the library is satisfied with two letters, which a text may begin with.
    if let Some(text) = text(head)
        && !head.starts_with(b"%PDF-")
    {
        return Some(if is_active(&text) { Err(active()) } else { Ok(TEXT) });
    }
    if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
        return (!is_installer(head)).then_some(Ok(COMPOUND));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(Ok(ZIP));
    }
    if head.get(4..8) == Some(b"ftyp") {
        let brand = head.get(8..12).unwrap_or_default();
        let is_still = [b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"].iter().any(|still| brand == *still);
        return Some(Ok(if is_still { HEIC } else { MOVIE }));
    }
    let found = infer::get(head)?.mime_type();
    OTHERS.iter().find(|(known, _)| *known == found).map(|(_, family)| Ok(*family))
}

/// Decodes a text in UTF-8 or GB18030, whose last character may be cut off. Returns `None` if it is no such text or has
/// control characters.
fn text(head: &[u8]) -> Option<String> {
    [encoding_rs::UTF_8, encoding_rs::GB18030].into_iter().find_map(|encoding| {
        let mut text = String::with_capacity(head.len() * 3);
        let mut decoder = encoding.new_decoder_with_bom_removal();
        let (result, _) = decoder.decode_to_string_without_replacement(head, &mut text, head.len() < HEAD);
        let is_whole = result == encoding_rs::DecoderResult::InputEmpty;
        let is_plain = !text.chars().any(|letter| letter.is_control() && !"\t\r\n\u{c}".contains(letter));
        (is_whole && is_plain).then_some(text)
    })
}

/// Checks whether a text is something that a browser or a shell would execute.
fn is_active(text: &str) -> bool {
    const MARKS: &[&str] = &["<!doctype", "<html", "<script", "<svg", "<iframe", "<?xml", "<?php"];
    let text = text.trim_start().to_ascii_lowercase();
    text.starts_with("#!") || MARKS.iter().any(|mark| text.contains(mark))
}

/// Checks whether a compound file is an installer (`.msi`), provided that its directory is within its first bytes.
fn is_installer(head: &[u8]) -> bool {
    const INSTALLER: [u8; 16] = [0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let at = |from: usize, to: usize| head.get(from..to);
    let (Some(&[shift, _]), Some(&[a, b, c, d])) = (at(30, 32), at(48, 52)) else { return false };
    let sector = u64::from(u32::from_le_bytes([a, b, c, d])) + 1;
    let root = usize::try_from(sector << shift.min(16)).unwrap_or(usize::MAX);
    at(root.saturating_add(80), root.saturating_add(96)) == Some(&INSTALLER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    fn is_of_no_kind(head: &[u8], name: &str) -> bool {
        matches!(recognise(head, name), Err(Unfit::Kind(_)))
    }

    #[test]
    fn content_decides_and_the_ending_tells_relatives_apart() {
        assert_eq!(recognise(b"%PDF-1.7\n1 0 obj", "验收.PDF").unwrap(), "application/pdf");
        assert_eq!(recognise(PNG, "现场.png").unwrap(), "image/png");
        assert_eq!(recognise(PNG, "现场").unwrap(), "image/png");
        assert_eq!(recognise(b"PK\x03\x04....", "台账.docx").unwrap(), DOCX);
        assert_eq!(recognise(b"PK\x03\x04....", "照片.zip").unwrap(), "application/zip");
        assert_eq!(recognise("单位,进度\n".as_bytes(), "表.csv").unwrap(), "text/csv");
        assert_eq!(recognise(b"BM, MZ and BC are words", "a.txt").unwrap(), "text/plain");
        let gb = encoding_rs::GB18030.encode("整改完成情况").0;
        assert_eq!(recognise(&gb, "说明.txt").unwrap(), "text/plain");
        assert_eq!(recognise(b"\0\0\0\x18ftypmp42\0\0\0\0", "a.mp4").unwrap(), "video/mp4");
        assert_eq!(recognise(b"\0\0\0\x18ftypheic\0\0\0\0", "a.HEIC").unwrap(), "image/heic");
    }

    #[test]
    fn a_letter_cut_in_two_at_the_end_of_the_head_is_no_fault() {
        let text = "a".to_owned() + &"整".repeat(HEAD);
        assert_eq!(recognise(&text.as_bytes()[..HEAD], "a.txt").unwrap(), "text/plain");
    }

    #[test]
    fn what_runs_is_refused_whatever_it_is_called() {
        for name in ["a.txt", "a.jpg", "a", "a.pdf", "a.svg", "a.html"] {
            assert!(is_of_no_kind(b"  <svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", name));
            assert!(is_of_no_kind(b"\xef\xbb\xbf<!DOCTYPE html><p>", name));
            assert!(is_of_no_kind(b"#!/bin/sh\nrm -r x", name));
            assert!(is_of_no_kind(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0", name));
            assert!(is_of_no_kind(b"\x7fELF\x02\x01\x01\0", name));
        }
        let mut installer = vec![0; 2048];
        installer[..8].copy_from_slice(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
        installer[30] = 9;
        assert_eq!(recognise(&installer, "a.doc").unwrap(), "application/msword");
        installer[592..608].copy_from_slice(&[0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
        assert!(is_of_no_kind(&installer, "a.doc"));
    }

    #[test]
    fn an_ending_that_lies_is_refused() {
        for (head, name) in [
            (b"%PDF-1.7".as_slice(), "a.exe"),
            (PNG, "a.pdf"),
            (b"PK\x03\x04....", "a.jar"),
            (b"PK\x03\x04....", "a.docm"),
            (b"alert(1)", "a.js"),
            (b"echo", "a.jpg.bat"),
            (b"", "a.pdf"),
        ] {
            assert!(matches!(recognise(head, name), Err(Unfit::Content(_))), "{name}");
        }
    }
}
