//! `Content-Encoding`: what was done to a body on its way, and undoing it within a limit.
//!
//! The inflated length is counted while inflating, so that a bomb costs no more memory than a body of the longest
//! allowed length, and no more time than inflating one. `deflate` is what RFC 9110 says it is (zlib's format), and
//! also the raw stream that some senders mean by it: their first bytes cannot be mistaken for each other.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Nobody compresses three times; each is another body's worth of work before anything is known of the sender.
const MAX_CODINGS: usize = 2;
/// Output is made in pieces of this length at most.
const PIECE: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

/// What was done to a body, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codings(Vec<Coding>);

/// A `Content-Encoding` that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a content encoding other than gzip, deflate and identity, or more than {MAX_CODINGS} of them"
)]
pub struct Untaken;

/// Why a body could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("longer than the limit when inflated")]
    TooLarge,
    #[error("its content encoding is broken, or not the one that it says")]
    Broken,
}

impl Codings {
    /// Each `Content-Encoding` header, each a list; `identity` is none.
    pub fn of(headers: &HeaderMap) -> Result<Self, Untaken> {
        let mut codings = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            for name in value.to_str().map_err(|_not_ascii| Untaken)?.split(',') {
                match &*name.trim().to_ascii_lowercase() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                    "deflate" => codings.push(Coding::Deflate),
                    _ => return Err(Untaken),
                }
                if codings.len() > MAX_CODINGS {
                    return Err(Untaken);
                }
            }
        }
        Ok(Self(codings))
    }

    pub fn is_identity(&self) -> bool {
        self.0.is_empty()
    }

    /// The body as it was before, at most `max` bytes of it.
    pub fn undo(&self, body: Bytes, max: usize) -> Result<Bytes, Fault> {
        (self.0.iter().rev()).try_fold(body, |body, coding| match coding {
            Coding::Gzip => gunzip(&body, max),
            Coding::Deflate => inflate(&body, max),
        })
    }
}

fn gunzip(body: &[u8], max: usize) -> Result<Bytes, Fault> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut inflated = Vec::new();
    match MultiGzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut inflated)
    {
        Ok(length) if length > max => Err(Fault::TooLarge),
        Ok(_) => Ok(inflated.into()),
        Err(cause) => {
            // A slice gives no other errors than those of the format.
            debug_assert_ne!(cause.kind(), io::ErrorKind::WouldBlock);
            Err(Fault::Broken)
        }
    }
}

fn inflate(body: &[u8], max: usize) -> Result<Bytes, Fault> {
    let mut stream = Decompress::new(has_zlib_header(body));
    let mut inflated = Vec::new();
    loop {
        let read = consumed(&stream);
        let rest = body.get(read..).unwrap_or_default();
        let before = (read, inflated.len());
        inflated.reserve(PIECE.min(max - inflated.len() + 1));
        let status = stream
            .decompress_vec(rest, &mut inflated, FlushDecompress::None)
            .map_err(|_cause| Fault::Broken)?;
        if inflated.len() > max {
            return Err(Fault::TooLarge);
        }
        let read = consumed(&stream);
        match status {
            // What follows the end was signed by nobody or read by nobody: there is no telling.
            Status::StreamEnd if read == body.len() => return Ok(inflated.into()),
            Status::StreamEnd => return Err(Fault::Broken),
            // It is cut off.
            Status::Ok | Status::BufError if before == (read, inflated.len()) => {
                return Err(Fault::Broken);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// How much of the body is behind the stream.
fn consumed(stream: &Decompress) -> usize {
    usize::try_from(stream.total_in()).expect("no more is read than the body is long")
}

/// RFC 1950: method 8, a window of at most 32 KiB, and a check that makes a multiple of 31. A raw stream does not
/// begin so: it would be a stored block with something in the bits that are left out.
fn has_zlib_header(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            let check = u16::from_be_bytes([*method, *flags]);
            method & 0x0f == 8 && method >> 4 <= 7 && check % 31 == 0
        }
        _ => false,
    }
}

/// What a sender makes of a body, for tests here and of webhooks.
#[cfg(test)]
pub(crate) mod packed {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        to.write_all(body).unwrap();
        to.finish().unwrap()
    }

    pub(crate) fn zlib(body: &[u8]) -> Vec<u8> {
        let mut to = ZlibEncoder::new(Vec::new(), Compression::best());
        to.write_all(body).unwrap();
        to.finish().unwrap()
    }

    pub(crate) fn raw(body: &[u8]) -> Vec<u8> {
        let mut to = DeflateEncoder::new(Vec::new(), Compression::best());
        to.write_all(body).unwrap();
        to.finish().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::packed::{gzip, raw, zlib};
    use super::*;

    const MAX: usize = 256 * 1024;

    type Coder = fn(&[u8]) -> Vec<u8>;

    const CODERS: [(&str, Coder); 3] = [("gzip", gzip), ("deflate", zlib), ("deflate", raw)];

    fn codings(values: &[&'static str]) -> Result<Codings, Untaken> {
        let values = values
            .iter()
            .map(|value| (CONTENT_ENCODING, HeaderValue::from_static(value)));
        Codings::of(&values.collect())
    }

    #[track_caller]
    fn check(names: &'static str, body: Vec<u8>, expected: Result<&[u8], Fault>) {
        let undone = codings(&[names]).unwrap().undo(body.into(), MAX);
        assert_eq!(undone.as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn headers_are_lists_and_identity_is_nothing() {
        use Coding::{Deflate, Gzip};
        for (values, expected) in [
            (vec![], vec![]),
            (vec!["identity", ""], vec![]),
            (vec!["GZIP"], vec![Gzip]),
            (vec!["x-gzip , identity"], vec![Gzip]),
            (vec!["gzip, deflate"], vec![Gzip, Deflate]),
            (vec!["deflate", "gzip"], vec![Deflate, Gzip]),
        ] {
            assert_eq!(codings(&values), Ok(Codings(expected)), "{values:?}");
        }
        for bad in ["br", "gzip, zstd", "gzip;q=1", "gzip, gzip, gzip", "*"] {
            assert_eq!(codings(&[bad]), Err(Untaken), "{bad}");
        }
        assert!(codings(&["identity"]).unwrap().is_identity());
    }

    #[test]
    fn each_coding_is_undone_in_the_reverse_order() {
        let body = br#"{"nps_score": 10}"#.repeat(100);
        check("gzip", gzip(&body), Ok(&body));
        check("deflate", zlib(&body), Ok(&body));
        check("deflate", raw(&body), Ok(&body));
        check("gzip, deflate", raw(&gzip(&body)), Ok(&body));
        check("deflate, gzip", gzip(&zlib(&body)), Ok(&body));
        check("gzip", [gzip(b"{}"), gzip(b" ")].concat(), Ok(b"{} "));
        for empty in [gzip(b""), gzip(b"").repeat(10)] {
            check("gzip", empty, Ok(b""));
        }
        check("deflate", zlib(b""), Ok(b""));
        check("deflate", raw(b""), Ok(b""));
        check("identity", b"{}".to_vec(), Ok(b"{}"));
    }

    #[test]
    fn the_limit_is_on_what_comes_out() {
        let (most, more) = (vec![b' '; MAX], vec![b' '; MAX + 1]);
        for (name, coded) in CODERS {
            check(name, coded(&most), Ok(&most));
            check(name, coded(&more), Err(Fault::TooLarge));
            // A bomb: 4 MiB, and the same once more around it.
            let bomb = coded(&vec![b' '; 4 << 20]);
            assert!(bomb.len() < MAX);
            check(name, bomb.clone(), Err(Fault::TooLarge));
            let twice = if name == "gzip" {
                "gzip, gzip"
            } else {
                "deflate, deflate"
            };
            check(twice, coded(&bomb), Err(Fault::TooLarge));
        }
        // Many small streams: as much work as a body may make.
        check("gzip", gzip(b"").repeat(MAX / 20), Ok(b""));
    }

    #[test]
    fn what_is_cut_off_changed_or_followed_by_more_is_broken() {
        let body = b"{\"interactionId\": \"a1b2c3d4\"}";
        for (name, coded) in [
            ("gzip", gzip(body)),
            ("deflate", zlib(body)),
            ("deflate", raw(body)),
        ] {
            for length in 0..coded.len() {
                check(name, coded[..length].to_vec(), Err(Fault::Broken));
            }
            check(name, [&coded[..], b"x"].concat(), Err(Fault::Broken));
            check(name, body.to_vec(), Err(Fault::Broken));
        }
        let mut changed = gzip(body);
        let last = changed.len() - 5;
        changed[last] ^= 1;
        check("gzip", changed, Err(Fault::Broken));
    }
}
