//! From a call to the script's command, and to what it answers.

use super::{RedisStore, SCRIPT};
use crate::StoreError;
use crate::batch::{self, Form, NUMBER};
use crate::limits::StoredLimit;
use crate::outbox::Sender;
use crate::topology::Connection;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;
use torana_limit::{Key, Returned};

/// What a command takes beside its ledgers, and what each of those takes.
const COMMAND_BYTES: usize = 256;
const LEDGER_BYTES: usize = 64;

/// How long an answer is waited for that comes too late for those who asked: what it gives must go back.
const LATEST: Duration = Duration::from_secs(10);

/// A ledger's name, and how many ask about it.
type Ledger = (Vec<u8>, u64);

impl RedisStore {
    /// Sends a call and tells those who wait. What is given after they have left goes back: nobody can use it.
    pub(super) async fn carry(&self, sender: Sender) {
        let inner = &self.inner;
        let (link, call) = (Rc::clone(sender.link()), Rc::clone(sender.close()));
        let (mut connection, life) = match link.connection(inner, self.timeout).await {
            Ok(open) => open,
            Err(error) => return sender.answer(Err(error)),
        };
        let (limit, form) = (&call.limit, call.form);
        let prefix = self.prefix(limit);
        let ledger = |(kind, bytes, count): (u8, &[u8], u64)| {
            (inner.hasher.key(&prefix, limit.id(), Key { kind, bytes }), count)
        };
        let ledgers: Vec<Ledger> = call.batch.borrow().ledgers().map(ledger).collect();
        // Where there are several, each command is about one caller.
        let server = ledgers.first().and_then(|(name, _)| link.server_of(name));
        if link.has_lost(server) {
            return sender.answer(Err(StoreError::Unavailable));
        }
        let late = {
            let mut sent = pin!(self.decided(&mut connection, (limit, form), &life, &ledgers));
            let answer = self.send(&link, server, sent.as_mut()).await;
            let is_late = matches!(answer, Err(StoreError::Late));
            sender.answer(answer);
            if !is_late || !matches!(form, Form::Take { .. }) {
                return;
            }
            timeout(LATEST, sent).await
        };
        let Ok(Ok(answer)) = late else { return };
        // On the connection that has just answered, whatever is thought of the store meanwhile.
        let back = self.return_all(&mut connection, limit, &life, (&ledgers, &answer));
        let _ = timeout(LATEST, back).await;
    }

    /// Has the script decide, about one ledger at a time where they turn out to lie on several servers.
    async fn decided(
        &self,
        connection: &mut Connection,
        what: (&StoredLimit, Form),
        life: &str,
        ledgers: &[Ledger],
    ) -> RedisResult<Vec<u8>> {
        let inner = &self.inner;
        let together = self.run(connection, what, life, ledgers).await;
        let is_across =
            |error: &redis::RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot);
        match together {
            // What looks like one server is several, and nothing was decided.
            Err(error) if is_across(&error) && ledgers.len() > 1 => {
                inner.apart.store(true, Ordering::Relaxed);
                let mut all = Vec::new();
                for ledger in ledgers {
                    let one = self.run(connection, what, life, std::slice::from_ref(ledger)).await?;
                    // Each answer begins with its time; that of the first is for all.
                    all.extend(one.into_iter().skip(if all.is_empty() { 0 } else { NUMBER }));
                }
                Ok(all)
            }
            answered => {
                // Somebody in between may take no command about several callers and say so in words of its own.
                // It may have been decided, so it is not repeated; the next ones are asked one by one.
                let error = answered.as_ref().err().map(redis::RedisError::kind);
                if ledgers.len() > 1 && error == Some(ErrorKind::Server(ServerErrorKind::ResponseError)) {
                    inner.apart.store(true, Ordering::Relaxed);
                }
                answered
            }
        }
    }

    /// Returns all that an answer has given.
    async fn return_all(
        &self,
        connection: &mut Connection,
        limit: &StoredLimit,
        life: &str,
        (ledgers, answer): (&[Ledger], &[u8]),
    ) {
        let Some((taken, given)) = batch::given(limit.budget(), answer) else { return };
        let mut by_permits: BTreeMap<u64, Vec<Ledger>> = BTreeMap::new();
        for ((name, _), permits) in ledgers.iter().zip(given).filter(|(_, permits)| *permits > 0) {
            by_permits.entry(permits).or_default().push((name.clone(), 1));
        }
        for (permits, ledgers) in by_permits {
            let form = Form::Back(Returned { permits, taken });
            let most = if self.inner.apart.load(Ordering::Relaxed) { 1 } else { ledgers.len() };
            for ledgers in ledgers.chunks(most.max(1)) {
                // When this fails the permits are lost, not used.
                let _ = self.run(connection, (limit, form), life, ledgers).await;
            }
        }
    }

    /// Sends the script's command.
    async fn run(
        &self,
        connection: &mut Connection,
        (limit, form): (&StoredLimit, Form),
        life: &str,
        ledgers: &[Ledger],
    ) -> RedisResult<Vec<u8>> {
        let inner = &self.inner;
        let parts = ledgers.len().saturating_mul(2).saturating_add(limit.arguments().len());
        let bytes = ledgers.len().saturating_mul(LEDGER_BYTES).saturating_add(COMMAND_BYTES);
        let mut by_hash = Cmd::with_capacity(parts.saturating_add(10), bytes);
        by_hash.arg("EVALSHA").arg(inner.script.get_hash());
        fill(&mut by_hash, (limit, form), (life, inner.doubt()), ledgers);
        inner.questions.fetch_add(1, Ordering::Relaxed);
        // What is lost on the way is not used; but permits come back once, and what was used is owed once.
        let again = matches!(form, Form::Take { .. } | Form::Look);
        let answer = match connection.send(&by_hash, again).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut whole = redis::cmd("EVAL");
                fill(whole.arg(SCRIPT), (limit, form), (life, inner.doubt()), ledgers);
                inner.questions.fetch_add(1, Ordering::Relaxed);
                connection.send(&whole, again).await?
            }
            answered => answered?,
        };
        redis::from_redis_value(answer).map_err(Into::into)
    }
}

/// The keys and arguments of the script. What is known of the server's lives says whether they are to be doubted.
pub(super) fn fill(
    command: &mut Cmd,
    (limit, form): (&StoredLimit, Form),
    (life, doubt): (&str, i64),
    ledgers: &[Ledger],
) {
    command.arg(ledgers.len());
    for (key, _) in ledgers {
        command.arg(key);
    }
    match form {
        Form::Take { want, least, charge_refused } => {
            command.arg("take").arg(life).arg(doubt).arg(want).arg(least).arg(u8::from(charge_refused))
        }
        Form::Charge(cost) => command.arg("charge").arg(life).arg(doubt).arg(cost).arg(1).arg(0),
        Form::Back(Returned { permits, taken }) => {
            let taken = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
            command.arg("back").arg(life).arg(doubt).arg(permits).arg(taken).arg(0)
        }
        Form::Look => command.arg("look").arg(life).arg(doubt).arg(0).arg(1).arg(0),
    };
    for argument in limit.arguments() {
        command.arg(argument);
    }
    for (_, count) in ledgers {
        command.arg(count);
    }
}
