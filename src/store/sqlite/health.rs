//! Whether the store can be written, as far as its last attempt tells.

use arc_swap::ArcSwapOption;

#[derive(Debug, Default)]
pub(super) struct Health {
    /// What is wrong and what to do. None: the last write worked.
    trouble: ArcSwapOption<String>,
}

impl Health {
    pub(super) fn read(&self) -> Result<(), String> {
        self.trouble
            .load()
            .as_ref()
            .map_or(Ok(()), |reason| Err(String::clone(reason)))
    }

    pub(super) fn is_good(&self) -> bool {
        self.trouble.load().is_none()
    }

    /// A write worked.
    pub(super) fn good(&self) {
        if self.trouble.swap(None).is_some() {
            tracing::info!("the store can be written again");
        }
    }

    /// A write did not work. Logged when it begins, and when the reason changes.
    pub(super) fn bad(&self, reason: &str) {
        let same = self
            .trouble
            .load()
            .as_ref()
            .is_some_and(|known| known.as_str() == reason);
        if !same {
            tracing::error!(error = %reason, "the store cannot be written");
            self.trouble
                .store(Some(std::sync::Arc::new(reason.to_owned())));
        }
    }
}
