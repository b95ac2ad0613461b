//! Reading a wrap-up back, with growing pauses, for as long as the platform has to set it or the lease lasts.

use std::time::Duration;

use tokio::time::Instant;

use super::{ConversationsApi, Leg, leg, wire};
use crate::ids::CodeId;
use crate::platform::pacer::Lane;
use crate::platform::{Assignment, Failure, Outcome, Step};

/// Before the first look: sooner it is hardly ever there, and a look costs a call. Doubled from look to look.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

impl ConversationsApi {
    /// Looks for the code until it is there. It is given up early where the lease or the service ends: the next
    /// attempt begins with a look.
    pub(super) async fn confirm(
        &self,
        wanted: &Assignment,
        leg: &Leg,
        correlation: Option<String>,
    ) -> Outcome {
        let written = Instant::now();
        let window = self.settings.confirm_within;
        let call = correlation
            .map(|id| format!(" [ININ-Correlation-Id {id}]"))
            .unwrap_or_default();
        let unconfirmed = |overdue| Outcome::Unconfirmed {
            written_ago: written.elapsed(),
            overdue,
            detail: format!("the platform took the code, but it cannot be seen yet{call}"),
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let rest = pause.min(window.saturating_sub(written.elapsed()));
            // Afterwards there has to be time for the look.
            if wanted.left() < rest + self.request_timeout || !self.client.rest(rest).await {
                return unconfirmed(false);
            }
            match self.read_back(wanted, leg).await {
                Ok(found) if wanted.wants(found.as_ref()) => {
                    let id = wanted.interaction;
                    self.recent
                        .note_code(id, &leg.communication, &wanted.code_id);
                    return Outcome::Assigned {
                        event: None,
                        replaced: leg.code.clone(),
                        detail: format!(
                            "read back after {:.1} s{call}",
                            written.elapsed().as_secs_f64()
                        ),
                    };
                }
                Ok(_) if written.elapsed() >= window => {
                    self.recent.forget(wanted.interaction);
                    return unconfirmed(true);
                }
                Ok(_) => pause *= 2,
                Err(failure) => {
                    self.recent.forget(wanted.interaction);
                    let step = Step::Confirm;
                    return Outcome::Failed { step, failure };
                }
            }
        }
    }

    /// The code that stands on the leg now.
    async fn read_back(&self, wanted: &Assignment, leg: &Leg) -> Result<Option<CodeId>, Failure> {
        let url = self.wrapup_url(wanted.interaction, leg)?;
        let read = self
            .client
            .call("confirm", Lane::Deliveries, self.patience(wanted), |http| {
                http.get(url.clone())
            })
            .await;
        match read.map_err(|missed| missed.failure) {
            Ok(success) if success.is_empty() => Ok(None),
            Ok(success) => Ok(leg::code(Some(&success.json::<wire::Wrapup>()?))),
            // Where there is nothing to read there is nothing yet. Whether the conversation is still there, or can be
            // read at all, the look of the next attempt tells.
            Err(Failure::NotFound { .. } | Failure::Refused { .. }) => Ok(None),
            // Who may not read wrap-ups may read conversations: without that nothing would have been written.
            Err(Failure::Barred { .. } | Failure::Forbidden { .. }) => {
                let read = self.read(wanted.interaction, self.patience(wanted)).await?;
                Ok(read.code_on(&leg.communication))
            }
            Err(failure) => Err(failure),
        }
    }
}
