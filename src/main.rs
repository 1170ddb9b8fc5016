//! `rectify`: the environmental-rectification ledger.

// The futures of a merged schema nest as deep as it has parts; only optimised builds lay them out whole.
#![recursion_limit = "256"]

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Whatever the program makes is for its own eyes: database, evidence, mails, exports.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    rectify::cli::run(rectify::cli::Arguments::parse())
}
