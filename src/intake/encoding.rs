//! Bytes as text, both ways: hexadecimal in either case, base64 with or without padding.
//!
//! Base64 must be canonical: two texts never stand for the same bytes but for their padding.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::config::Encoding;

/// Writes padding, reads without it too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The decoded bytes; `None` if `text` is no such encoding.
pub(super) fn decode(encoding: Encoding, text: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => BASE64.decode(text).ok(),
    }
}

/// Decodes into `to` and says how many bytes that were; `None` also if they are more than fit.
pub(super) fn decode_into(encoding: Encoding, text: &[u8], to: &mut [u8]) -> Option<usize> {
    match encoding {
        Encoding::Hex => {
            let len = text.len() / 2;
            hex::decode_to_slice(text, to.get_mut(..len)?).ok()?;
            Some(len)
        }
        Encoding::Base64 => BASE64.decode_slice(text, to).ok(),
    }
}

pub(super) fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => BASE64.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_of_hex_and_both_paddings_of_base64_are_read() {
        let all = [
            (Encoding::Hex, "0aFf10", Some(3)),
            (Encoding::Hex, "0aF", None),
            (Encoding::Hex, "0g", None),
            (Encoding::Base64, "AP8=", Some(2)),
            (Encoding::Base64, "AP8", Some(2)),
            // The same two bytes with other trailing bits.
            (Encoding::Base64, "AP9", None),
            (Encoding::Base64, "_-8=", None),
            (Encoding::Base64, "AP 8", None),
        ];
        for (encoding, text, expected) in all {
            let decoded = decode(encoding, text.as_bytes());
            assert_eq!(decoded.as_ref().map(Vec::len), expected, "{text}");
            let mut room = [0; 64];
            let len = decode_into(encoding, text.as_bytes(), &mut room);
            assert_eq!(len.map(|len| room[..len].to_vec()), decoded, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_not_cut() {
        for (encoding, text) in [
            (Encoding::Hex, "00".repeat(65)),
            (Encoding::Base64, "AAAA".repeat(22)),
        ] {
            assert_eq!(decode_into(encoding, text.as_bytes(), &mut [0; 64]), None);
        }
    }
}
