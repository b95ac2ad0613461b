//! Listeners and kept connections at the end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::support::app::survey;
use crate::support::load;
use crate::support::process::SECRET;

/// A client's connection, written to piece by piece.
struct Wire(TcpStream);

impl Wire {
    async fn open(service: &Remote) -> Self {
        Self(TcpStream::connect(service.public).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The head of one answer, and its body by the length that it gives.
    async fn answer(&mut self) -> String {
        let mut seen = Vec::new();
        let whole = |seen: &[u8]| {
            let text = String::from_utf8_lossy(seen);
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))?;
            (body.len() >= length.parse().unwrap()).then(|| text.clone().into_owned())
        };
        let reading = async {
            loop {
                let read = self.0.read_buf(&mut seen).await.expect("an answer");
                if let Some(answer) = whole(&seen) {
                    return answer;
                }
                assert_ne!(
                    read,
                    0,
                    "it ended after {:?}",
                    String::from_utf8_lossy(&seen)
                );
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("an answer in time")
    }

    /// Waits until the service ends the connection, with nothing more to say.
    async fn ends(mut self) {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        ended.expect("it ends in time").expect("it ends in order");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

fn request() -> (Uuid, Vec<u8>) {
    let interaction = Uuid::new_v4();
    let body = survey(interaction, 10, 5);
    (
        interaction,
        load::framed("generic", SECRET.as_bytes(), &body),
    )
}

#[tokio::test]
async fn webhooks_are_taken_while_the_load_balancer_notices() {
    let simulator = simulator::unlimited().await;
    // Far more than what is looked at within it takes.
    let delay = "[server]\nshutdown_delay = \"8s\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, delay]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.readyz_says(200, "ready").await;
    let mut kept = Wire::open(&remote).await;
    let (first, bytes) = request();
    kept.send(&bytes).await;
    assert!(kept.answer().await.starts_with("HTTP/1.1 202"));

    service.signal("TERM").await;
    remote.readyz_says(503, "shutting down").await;
    let public = remote.get(remote.public, "/readyz").await;
    assert_eq!(public.status, 503, "the load balancer is told as well");
    assert_eq!(public.body.get("reasons"), None, "but not why");
    assert_eq!(remote.get(remote.admin, "/livez").await.status, 200);
    let late = remote.promoter().await;
    let (later, bytes) = request();
    kept.send(&bytes).await;
    assert!(kept.answer().await.starts_with("HTTP/1.1 202"));
    remote.closes().await;
    kept.ends().await;
    assert_eq!(service.ended().await.code(), Some(0));
    assigned(&simulator, &[first, late, later]).await;
}

#[tokio::test]
async fn a_kept_connection_ends_after_the_answer_it_owes_and_late_requests_get_503() {
    let simulator = simulator::unlimited().await;
    // Calls on the wire keep the service in its grace while the connections are looked at.
    let control = simulator.control();
    let held = hold_writes(&control);
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, PATIENT]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let slow = remote.promoter().await;
    on_the_wire(&control, 1).await;

    let idle = Wire::open(&remote).await;
    let mut used = Wire::open(&remote).await;
    let (first, bytes) = request();
    used.send(&bytes).await;
    assert!(used.answer().await.starts_with("HTTP/1.1 202"));
    // Half a body: this request was taken up before the end. Half a head: this one was not.
    let (begun, bytes) = request();
    let (start, rest) = bytes.split_at(bytes.len() - 10);
    let mut half_body = Wire::open(&remote).await;
    half_body.send(start).await;
    let (refused, late) = request();
    let (late_start, late_rest) = late.split_at(20);
    let mut half_head = Wire::open(&remote).await;
    half_head.send(late_start).await;
    // Later than all of these on its own connection, so they have been read when it is answered.
    let second = remote.promoter().await;

    service.signal("TERM").await;
    remote.closes().await;
    idle.ends().await;
    used.ends().await;
    half_body.send(rest).await;
    let answer = half_body.answer().await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    half_body.ends().await;
    half_head.send(late_rest).await;
    let answer = half_head.answer().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    assert!(
        answer.contains("urn:wrapup:problem:shutting-down"),
        "{answer}"
    );
    half_head.ends().await;
    control.remove_fault(held);
    assert_eq!(service.ended().await.code(), Some(0));

    assert!(control.assigned(slow).is_some());
    // What came too late to be delivered is delivered after the next start; what was refused is not there.
    let service = Process::serve(&workspace).await;
    assigned(&simulator, &[first, begun, second]).await;
    assert_eq!(control.assigned(refused), None);
    assert!(service.stop().await.success());
    assert_eq!(records(&workspace).await.len(), 4);
}

#[tokio::test]
async fn the_next_server_takes_over_the_same_addresses_when_the_first_has_ended() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let first = Process::serve(&workspace).await;
    let (public, admin) = (first.public, first.admin);
    let same = format!("[server]\nlisten = \"{public}\"\n[admin]\nlisten = \"{admin}\"\n");
    workspace.configure(&simulator.base_url(), &[FAST, &same]);
    let second = Process::launch(&workspace, |command| command);
    second.logged("waiting for another server").await;
    assert!(first.stop().await.success());
    let second = second.listening().await;
    assert_eq!((second.public, second.admin), (public, admin));
    Remote::to(&second).promoter().await;
    assert!(second.stop().await.success());
}
