//! The command line, in one place: what is parsed here is what `--help` shows.

use clap::{Args, Parser, Subcommand};
use std::num::NonZeroU16;
use std::path::PathBuf;
use torana_types::{ListenAddr, TimeSpan};

/// An API gateway in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "torana",
    version,
    after_help = "Exit codes: 0 done, 1 the configuration or its environment is wrong or requests were cut off by a \
                  second signal, 2 wrong arguments.\n\
                  Signals of `run`: SIGHUP reloads the file and reopens the access log, SIGUSR2 hands over to a new \
                  binary, SIGTERM and SIGINT let requests under way end first; a second one ends at once."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Serve what a file says, and reload it when it changes
    Run(RunArguments),
    /// Say everything that is wrong or odd in a file
    Check(CheckArguments),
    /// Say what would become of a request, and why, without sending it
    #[command(
        after_help = "Exit codes: 0 it would be served, 1 the configuration is wrong, 2 wrong arguments, 3 the gateway \
                            would refuse it or send the caller to log in, 4 no route takes it, 5 it depends on a service \
                            that would be asked: nobody is asked for an explanation."
    )]
    Explain(ExplainArguments),
    /// List the routes of a file in the order in which they are matched
    Routes(RoutesArguments),
    /// Start sample services and a gateway, and print commands to try
    Demo(DemoArguments),
    /// Mint a token for development
    Token(TokenArguments),
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The configuration file
    pub(crate) file: PathBuf,
    /// Listen here instead of where the file says; what is asked of connections stays. Where the file's listeners differ
    /// in more than the address, once for each of them, in their order
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<ListenAddr>,
    /// Serve the admin pages here instead of where the file says
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<ListenAddr>,
    /// Threads that serve requests [default: one for each core]
    #[arg(long, value_name = "NUMBER", value_parser = workers)]
    pub(crate) workers: Option<NonZeroU16>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The configuration file
    pub(crate) file: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 1 where there is a warning, too
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The configuration file
    pub(crate) file: PathBuf,
    /// The method, such as GET
    pub(crate) method: String,
    /// The URL, or a path
    pub(crate) url: String,
    /// A field of the request, such as 'Authorization: Bearer …'; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The body of the request; its length is added
    #[arg(long, value_name = "TEXT")]
    pub(crate) body: Option<String>,
    /// The address that the request comes from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) from: std::net::IpAddr,
    /// Show every route, also those for other paths
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RoutesArguments {
    /// The configuration file
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Where the gateway listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub(crate) listen: ListenAddr,
    /// Where the admin pages are
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    pub(crate) admin: ListenAddr,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    /// The environment variable that holds the secret
    #[arg(long, value_name = "NAME", default_value = "JWT_SECRET")]
    pub(crate) secret_env: String,
    /// Who calls (the claim `sub`)
    #[arg(long, value_name = "NAME")]
    pub(crate) sub: String,
    /// A role of the caller; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Vec<String>,
    /// How long the token is good for
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) expires: TimeSpan,
    /// A further claim as NAME=VALUE, where VALUE is JSON or else text; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) claim: Vec<String>,
}

fn workers(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| format!("expected a number from 1 to {}", u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
