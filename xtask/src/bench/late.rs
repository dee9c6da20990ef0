//! How late the latest one of a hundred answers is.

use anyhow::Result;

use super::cases::Case;
use super::load::Late;
use super::peers::{Peer, Proxy};
use super::table::PROMISED_AT;
use super::{Arguments, Stage, middle};

/// The 99th percentile of each proxy, in the middle of the rounds; nothing where nothing is promised of it.
///
/// In rounds of their own, all by the same load generator, because what wrk says is no comparison: see `Load::late`.
pub(super) fn late(
    stage: &Stage,
    case: &Case,
    connections: u32,
    proxies: &[&Proxy],
    arguments: &Arguments,
) -> Result<Vec<Option<Late>>> {
    if connections != PROMISED_AT || !proxies.iter().any(|proxy| proxy.peer == Peer::Nginx) {
        return Ok(vec![None; proxies.len()]);
    }
    let mut late: Vec<Vec<Late>> = vec![Vec::new(); proxies.len()];
    for round in 0..arguments.rounds as usize {
        for turn in 0..proxies.len() {
            let number = (turn + round) % proxies.len();
            late[number].push(stage.load(proxies[number], case, connections, arguments.seconds).late()?);
            stage.check_log(proxies[number], case, 1)?;
        }
    }
    let in_the_middle = |rounds: Vec<Late>| Late {
        all: middle(rounds.iter().map(|late| late.all).collect(), Ord::cmp),
        calm: middle(rounds.iter().map(|late| late.calm).collect(), Ord::cmp),
    };
    Ok(late.into_iter().map(|rounds| Some(in_the_middle(rounds))).collect())
}
