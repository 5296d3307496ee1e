//! Percent-encoding: how any text at all is written inside a URI.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::error::UriError;
use super::grammar::Piece;

/// The longest group, name or text value, in bytes.
pub(super) const TEXT_MAX: usize = 255;

/// Reads the text that `piece` encodes. Whatever is not encoded stands for itself, letters of any script included.
pub(super) fn decode(piece: Piece<'_>) -> Result<String, UriError> {
    let mut bytes = Vec::with_capacity(piece.text.len());
    let mut rest = piece.text;
    while let Some(at) = rest.find('%') {
        let (plain, escape) = rest.split_at(at);
        bytes.extend_from_slice(plain.as_bytes());
        let Some(byte) = escape.get(1..3).and_then(byte_of) else {
            let part = escape.char_indices().nth(3).map_or(escape, |(end, _)| &escape[..end]);
            let start = piece.start + piece.text.len() - escape.len();
            return Err(UriError::BadEncoding { at: start..start + part.len(), part: part.into() });
        };
        bytes.push(byte);
        rest = &escape[3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| UriError::NotUtf8 { at: piece.span(), part: piece.text.into() })
}

/// Reads a group or name, `what` it is called: any text that fits.
pub(super) fn decode_text(piece: Piece<'_>, what: &'static str) -> Result<String, UriError> {
    let text = decode(piece)?;
    if fits(&text) { Ok(text) } else { Err(UriError::BadText { at: piece.span(), part: piece.text.into(), what }) }
}

/// True for 1 to [`TEXT_MAX`] bytes without control characters.
pub(super) fn fits(text: &str) -> bool {
    (1..=TEXT_MAX).contains(&text.len()) && !text.contains(char::is_control)
}

/// Writes `text` so that [`decode`] reads it back, wherever in a URI it stands.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~' | ':' | '@') {
            out.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                write!(out, "%{byte:02X}").expect("a string takes any text");
            }
        }
    }
    out
}

fn byte_of(digits: &str) -> Option<u8> {
    let hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_encoded_stands_for_itself() {
        for (written, read) in
            [("a%20b", "a b"), ("группа", "группа"), ("%D0%B3", "г"), ("a+b:7", "a+b:7"), ("%25", "%")]
        {
            assert_eq!(decode(Piece::whole(written)).as_deref(), Ok(read));
        }
    }

    #[test]
    fn only_what_needs_it_is_encoded() {
        for (read, written) in
            [("my.group_1", "my.group_1"), ("g:77", "g:77"), ("группа", "группа"), ("a b/(c)", "a%20b%2F%28c%29")]
        {
            assert_eq!(encode(read), written);
        }
    }

    #[test]
    fn a_broken_encoding_is_quoted_where_it_stands() {
        for (written, part, start) in
            [("ab%2", "%2", 2), ("%zzz", "%zz", 0), ("a%", "%", 1), ("a%яя1", "%яя", 1), ("%+1", "%+1", 0)]
        {
            let error = decode(Piece::whole(written)).expect_err(written);
            assert_eq!(error, UriError::BadEncoding { at: start..start + part.len(), part: part.to_string() });
        }
        assert_eq!(decode(Piece::whole("a%FF")), Err(UriError::NotUtf8 { at: 0..4, part: "a%FF".to_string() }));
    }

    #[test]
    fn a_text_fits_up_to_its_greatest_length() {
        assert!(fits(&"x".repeat(TEXT_MAX)));
        assert!(!fits(&"x".repeat(TEXT_MAX + 1)));
        assert!(!fits(""));
        assert!(!fits("a\u{7f}"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text: String) {
            prop_assert_eq!(decode(Piece::whole(&encode(&text))), Ok(text));
        }
    }
}
