//! `rectify`: the ledger of environmental inspection rectification (生态环境督察整改).

// The futures of the merged GraphQL schema nest one level per merged part; only optimised builds compute the layout of
// the whole nest.
#![recursion_limit = "256"]

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Files that the program creates (database, evidence, mails, exports) are accessible to their owner only.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    rectify::cli::run(rectify::cli::Arguments::parse())
}
