//! Reading a body within a limit, chunked or not; without a copy where it comes in one piece.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::super::problem::Kind;
use super::Refused;
use super::meter::Outcome;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLarge,
    /// The client closed its side, or broke its own framing.
    Broken,
}

impl Fault {
    pub(super) fn refused(self) -> Refused {
        match self {
            Self::TooLarge => Refused(Kind::BodyTooLarge, Some(Outcome::TooLarge)),
            Self::Broken => Refused(Kind::BodyIncomplete, Some(Outcome::Malformed)),
        }
    }
}

/// An announced length above `max` is refused before anything is read (and before `100 Continue`).
pub(super) async fn read(mut body: Body, max: usize) -> Result<Bytes, Fault> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > max) {
        return Err(Fault::TooLarge);
    }
    let Some(first) = piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > max {
        return Err(Fault::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    // What is announced is not reserved: memory is given for what has come.
    let mut whole = BytesMut::from(first);
    while let Some(next) = piece(&mut body).await? {
        if next.len() > max - whole.len() {
            return Err(Fault::TooLarge);
        }
        whole.extend_from_slice(&next);
    }
    Ok(whole.freeze())
}

/// The next data; trailers are passed over.
async fn piece(body: &mut Body) -> Result<Option<Bytes>, Fault> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(Fault::Broken),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn check(pieces: &[&'static str], expected: Result<&'static str, Fault>) {
        let pieces: Vec<Result<_, std::io::Error>> =
            pieces.iter().map(|&piece| Ok(Bytes::from(piece))).collect();
        let body = Body::from_stream(stream::iter(pieces));
        assert_eq!(read(body, 8).await, expected.map(Bytes::from));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_in_any_number_of_pieces() {
        check(&[], Ok("")).await;
        check(&["12345678"], Ok("12345678")).await;
        check(&["1234", "", "5678"], Ok("12345678")).await;
        check(&["123456789"], Err(Fault::TooLarge)).await;
        check(&["12345678", "9"], Err(Fault::TooLarge)).await;
    }

    #[tokio::test]
    async fn an_announced_length_above_the_limit_is_refused_unread() {
        assert_eq!(read(Body::from("123456789"), 8).await, Err(Fault::TooLarge));
    }
}
