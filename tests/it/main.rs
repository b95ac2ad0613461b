//! The integration suite: the real service against the simulator and a real store, on free ports.
//!
//! Scenarios wait on conditions, never on time. What only a process can show (kills, signals, full disks) runs the
//! real binary; the rest runs the service in this process, where its clock can be stepped.

#![expect(clippy::print_stderr, reason = "long tests show progress")]
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a panic is how a test fails, in what tests share as well"
)]
#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::disallowed_methods,
    reason = "a task of a test ends with the test's runtime"
)]

mod support;

mod breakers;
mod canary;
mod cli;
mod connections;
mod conversations;
mod crash;
mod deliveries;
mod examples;
mod fuzz;
mod hostile;
mod house;
mod order;
mod pace;
mod reload;
mod rules;
mod seen;
mod shutdown;
mod sources;
mod store_faults;
mod verdicts;
mod webhooks;
