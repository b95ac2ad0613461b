//! What an assignment would do, told to a person. Nothing is written.

use super::{ConversationsApi, queue};
use crate::platform::{Assignment, Failure, Preview};

impl ConversationsApi {
    pub(super) async fn show(&self, wanted: &Assignment) -> Result<Preview, Failure> {
        let conversation = self.read(wanted.interaction, self.patience(wanted)).await?;
        let mut preview = Preview::default();
        let state = if conversation.ended {
            "ended"
        } else {
            "not ended"
        };
        preview.line(
            "conversation",
            format!("{state}; legs of agents: {}", conversation.legs()),
        );
        let leg = match conversation.leg_for(wanted) {
            Ok(leg) => leg,
            Err(reason) => {
                preview.line("would write", format!("nothing: {reason}"));
                return Ok(preview);
            }
        };
        let queue = leg.queue.as_deref().unwrap_or("none");
        preview.line(
            "leg",
            format!(
                "{} of agent {} (queue {queue}): participant {}, communication {}",
                leg.medium, leg.user, leg.participant, leg.communication
            ),
        );
        if !conversation.ended {
            preview.line("would write", "nothing yet: it is looked at again later");
            return Ok(preview);
        }
        preview.verdict(wanted, leg.code.as_ref());
        if let Some(notes) = &self.settings.notes {
            preview.line("with the note", notes.sketch(wanted));
        }
        if leg.queue.is_some() && self.settings.check_queue_codes {
            let codes = self.queue_codes(wanted, leg).await?;
            let allowed = queue::allows(&codes, &wanted.code_id);
            let told = if allowed { "allows" } else { "does not allow" };
            preview.line(
                "queue",
                format!("{told} {} ({} codes)", wanted.code, codes.len()),
            );
        }
        preview.line(
            "to",
            self.wrapup_url(wanted.interaction, leg)?.path().to_owned(),
        );
        Ok(preview)
    }
}
