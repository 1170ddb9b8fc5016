//! `rectify`: the environmental-rectification ledger.

// The futures of a merged schema nest as deep as it has parts; only optimised builds lay them out whole.
#![recursion_limit = "256"]

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = rectify::cli::Arguments::parse();
    match rectify::cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
