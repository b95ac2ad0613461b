//! The binary: everything is in the library, so that tests can reach it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(cause) => return wrapup::cli::failed(&cause.into()),
    };
    let exit = runtime.block_on(wrapup::cli::main());
    // A thread that waits for a file system that does not answer must not hold up the end.
    runtime.shutdown_background();
    exit
}
