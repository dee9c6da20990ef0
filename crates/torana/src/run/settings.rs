//! What the command line says instead of the file.

use anyhow::{bail, ensure};
use std::num::NonZeroU16;
use torana_plan::{ListenerPlan, Plan};
use torana_types::{ListenAddr, counted};

/// What the command line says instead of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<ListenAddr>,
    pub(crate) admin: Option<ListenAddr>,
    pub(crate) workers: Option<NonZeroU16>,
}

impl Settings {
    /// # Errors
    /// What the file asks of connections at its own addresses cannot be told for those of the command line.
    pub(super) fn apply(&self, plan: &mut Plan) -> anyhow::Result<()> {
        if !self.listen.is_empty() {
            plan.settings.listen = elsewhere(&plan.settings.listen, &self.listen)?;
        }
        plan.settings.admin = self.admin.or(plan.settings.admin);
        plan.settings.workers = self.workers.or(plan.settings.workers);
        Ok(())
    }
}

/// The listeners of a file at other addresses: what is asked of connections stays as the file has it. So there must be
/// as many, each in place of the file's at its position, or else all of the file's must ask the same.
fn elsewhere(written: &[ListenerPlan], addresses: &[ListenAddr]) -> anyhow::Result<Vec<ListenerPlan>> {
    let at = |(listener, address): (&ListenerPlan, &ListenAddr)| ListenerPlan {
        address: *address,
        ..listener.clone()
    };
    if written.len() == addresses.len() {
        return Ok(written.iter().zip(addresses).map(at).collect());
    }
    let Some((first, others)) = written.split_first() else { bail!("the file listens nowhere") };
    ensure!(
        others.iter().all(|other| at((other, &first.address)) == *first),
        "`--listen` is given {}, but the file has {} that differ in more than the address: give it once for each, in \
         their order",
        times(addresses.len()),
        counted(written.len(), "listener"),
    );
    Ok(addresses.iter().map(|address| at((first, address))).collect())
}

fn times(count: usize) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(of: &[&str]) -> Vec<ListenAddr> {
        of.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn plain(of: &[&str]) -> Vec<ListenerPlan> {
        addresses(of).into_iter().map(ListenerPlan::plain).collect()
    }

    #[test]
    fn what_is_asked_of_connections_stays_wherever_they_come() {
        let redirect = |address: &str| ListenerPlan {
            redirect_https: NonZeroU16::new(443),
            ..ListenerPlan::plain(address.parse().unwrap())
        };
        let new = addresses(&["127.0.0.1:1", "127.0.0.1:2"]);
        // One form for any number.
        let (one, two) = (redirect("127.0.0.1:1"), redirect("127.0.0.1:2"));
        assert_eq!(elsewhere(&[redirect("127.0.0.1:80")], &new).unwrap(), [one.clone(), two]);
        let alike = plain(&["127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82"]);
        assert_eq!(elsewhere(&alike, &new).unwrap(), plain(&["127.0.0.1:1", "127.0.0.1:2"]));
        // Several forms: each at its position, or not at all.
        let mixed = [redirect("127.0.0.1:80"), plain(&["127.0.0.1:443"]).remove(0)];
        assert_eq!(elsewhere(&mixed, &new).unwrap(), [one, plain(&["127.0.0.1:2"]).remove(0)]);
        for count in [1, 3] {
            let new = addresses(&["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"][..count]);
            let said = elsewhere(&mixed, &new).unwrap_err().to_string();
            assert!(said.contains("the file has 2 listeners that differ"), "{said}");
        }
    }
}
