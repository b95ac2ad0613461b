//! A thread with a bounded queue before it: owned, and joined when it is closed.

use std::fmt;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread::{Builder, JoinHandle};

use crate::store::Error;

pub(super) struct Post<T> {
    /// None: closed.
    queue: RwLock<Option<SyncSender<T>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Post<T> {
    /// Starts the thread. It ends when the queue is closed and empty.
    pub(super) fn start(
        name: &str,
        bound: usize,
        work: impl FnOnce(Receiver<T>) + Send + 'static,
    ) -> Result<Self, Error> {
        let (queue, jobs) = mpsc::sync_channel(bound);
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || work(jobs))
            .map_err(|cause| {
                Error::Unavailable(format!("the thread {name} cannot be started: {cause}"))
            })?;
        Ok(Self {
            queue: RwLock::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Puts `it` into the queue, or says at once that it is full.
    pub(super) fn send(&self, it: T) -> Result<(), Error> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(closed());
        };
        queue.try_send(it).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Overloaded,
            TrySendError::Disconnected(_) => ended(),
        })
    }

    /// Closes the queue. What is in it is still done; the thread, to be joined, is answered to the first who asks.
    pub(super) fn close(&self) -> Option<JoinHandle<()>> {
        self.queue
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

fn closed() -> Error {
    Error::Unavailable("it is closed, because the service is stopping".to_owned())
}

/// What a caller hears whose answer will never come.
pub(super) fn ended() -> Error {
    Error::Unavailable("its thread has ended; the service has to be started again".to_owned())
}
