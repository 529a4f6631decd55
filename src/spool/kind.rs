//! Recognizes files that are no list of URLs by how they begin.

use super::decode::is_packed;
use super::format::Format;
use crate::model::InputFault;

/// First bytes of other kinds of files.
const MAGICS: [(&[u8], InputFault); 8] = [
    (b"%PDF", InputFault::Document("PDF")),
    (b"{\\rtf", InputFault::Document("RTF")),
    (b"7z\xbc\xaf\x27\x1c", InputFault::Archive("7z")),
    (b"Rar!\x1a\x07", InputFault::Archive("rar")),
    (b"BZh", InputFault::Packed("bzip2")),
    (b"\xfd7zXZ\0", InputFault::Packed("xz")),
    (b"\x04\x22\x4d\x18", InputFault::Packed("lz4")),
    (b"SQLite format 3\0", InputFault::Binary),
];

/// Offset of the magic word in a tar archive.
const USTAR_AT: usize = 257;

/// The other kind of file that these first bytes show, if they do.
pub(super) fn other_kind(start: &[u8], format: Format) -> Option<InputFault> {
    // What was packed once is unpacked here.
    if is_packed(start) {
        return Some(InputFault::PackedTwice);
    }
    if let Some((_, fault)) = MAGICS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(fault.clone());
    }
    if start.starts_with(b"\xd0\xcf\x11\xe0") {
        // Its directory, which may come later in the file, names what it has in UTF-16.
        let has = |part: &str| {
            let part: Vec<u8> = part.bytes().flat_map(|byte| [byte, 0]).collect();
            memchr::memmem::find(start, &part).is_some()
        };
        return Some(match () {
            () if has("Workbook") => InputFault::Workbook,
            () if has("WordDocument") => InputFault::Document("Word"),
            () => InputFault::Document("Office 97-2003"),
        });
    }
    if start.starts_with(b"PK\x03\x04") {
        let has = |part: &[u8]| memchr::memmem::find(start, part).is_some();
        return Some(match () {
            () if has(b"xl/") => InputFault::Workbook,
            () if has(b"word/") => InputFault::Document("Word"),
            () if has(b"[Content_Types].xml") => InputFault::Workbook,
            () => InputFault::Archive("zip"),
        });
    }
    if start.get(USTAR_AT..USTAR_AT + 5) == Some(b"ustar") {
        return Some(InputFault::Archive("tar"));
    }
    if start.contains(&0) {
        return Some(InputFault::Binary);
    }
    let text = String::from_utf8_lossy(&start[..start.len().min(1024)]);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let lower = text.to_ascii_lowercase();
    match () {
        () if lower.starts_with("#extm3u") => Some(InputFault::Playlist),
        () if lower.starts_with("<!doctype html") || lower.starts_with("<html") => Some(InputFault::Html),
        () if is_markup(text) => Some(InputFault::Xml),
        () if is_array(text) => Some(InputFault::JsonArray),
        () if format == Format::Text && is_object(text) => Some(InputFault::JsonObjects),
        () => None,
    }
}

/// True for `<?xml`, `<!--`, `<urlset>`. A placeholder such as `<id>` at the start of a line is no markup: only its
/// line is refused.
fn is_markup(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('<') else { return false };
    rest.starts_with(['?', '!']) || (rest.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.starts_with("http"))
}

fn is_array(text: &str) -> bool {
    text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['"', '{', '[', ']', '\'']))
}

fn is_object(text: &str) -> bool {
    text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_of_urls_is_known_by_its_beginning() {
        let kind = |start: &[u8]| other_kind(start, Format::Text).map(|fault| fault.code());
        for (start, code) in [
            (&b"%PDF-1.7\n%\xe2\xe3"[..], "document"),
            (b"PK\x03\x04....[Content_Types].xml ... xl/workbook.xml", "workbook"),
            (b"PK\x03\x04....a.txt", "archive"),
            (b"\xd0\xcf\x11\xe0 W\0o\0r\0k\0b\0o\0o\0k\0", "workbook"),
            (b"\xd0\xcf\x11\xe0 W\0o\0r\0d\0D\0o\0c\0u\0m\0e\0n\0t\0", "document"),
            (b"\xd0\xcf\x11\xe0", "document"),
            (b"ELF\0", "binary"),
            (b"\n <?xml version=\"1.0\"?>", "xml"),
            (b"<urlset>", "xml"),
            (b"\xef\xbb\xbf#EXTM3U\n", "playlist"),
            (b"<!DOCTYPE html>", "html"),
            (b"[\n  \"https://vod.example.com/1.mp4\"", "json_array"),
            (b"{\"url\": 1}", "json_objects"),
            (b"BZh91AY", "packed"),
            (b"\x1f\x8b\x08\0", "packed_twice"),
            (b"\x28\xb5\x2f\xfd\x04", "packed_twice"),
        ] {
            assert_eq!(kind(start), Some(code), "{}", String::from_utf8_lossy(start));
        }
        for start in
            [&b"https://vod.example.com/1.mp4"[..], b"# list", b"", b"[note] x", b"<https://vod.example.com/1>"]
        {
            assert_eq!(kind(start), None, "{}", String::from_utf8_lossy(start));
        }
        assert_eq!(other_kind(b"{\"url\":1}", Format::JsonLines), None);
    }
}
