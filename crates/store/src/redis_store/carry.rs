//! From a call to the script's command, and to what it answers.

use super::{RedisStore, SCRIPT};
use crate::StoreError;
use crate::batch::{Form, NUMBER};
use crate::link::Link;
use crate::outbox::Call;
use crate::topology::Connection;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use torana_limit::{Key, Returned};

/// What a command takes beside its ledgers, and what each of those takes.
const COMMAND_BYTES: usize = 256;
const LEDGER_BYTES: usize = 64;

/// A ledger's name, and how many ask about it.
type Ledger = (Vec<u8>, u64);

impl RedisStore {
    /// Sends a call and brings what the script says.
    pub(super) async fn carry(&self, link: &Rc<Link>, call: &Call) -> Result<Vec<u8>, StoreError> {
        let inner = &self.0;
        let (mut connection, life) = link.connection(inner).await?;
        let prefix = self.prefix(&call.limit);
        let ledger = |(kind, bytes, count): (u8, &[u8], u64)| {
            (inner.hasher.key(&prefix, call.limit.id(), Key { kind, bytes }), count)
        };
        let ledgers: Vec<Ledger> = call.batch.borrow().ledgers().map(ledger).collect();
        let sent = async {
            let together = self.run(&mut connection, call, &life, &ledgers).await;
            let is_across =
                |error: &redis::RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot);
            match together {
                // What looks like one server is several, and nothing was decided.
                Err(error) if is_across(&error) && ledgers.len() > 1 => {
                    inner.apart.store(true, Ordering::Relaxed);
                    let mut all = Vec::new();
                    for ledger in &ledgers {
                        let one =
                            self.run(&mut connection, call, &life, std::slice::from_ref(ledger)).await?;
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
        };
        self.send(link, sent).await
    }

    /// Has the script decide about these ledgers.
    async fn run(
        &self,
        connection: &mut Connection,
        call: &Call,
        life: &str,
        ledgers: &[Ledger],
    ) -> RedisResult<Vec<u8>> {
        let inner = &self.0;
        let parts = ledgers.len().saturating_mul(2).saturating_add(call.limit.arguments().len());
        let bytes = ledgers.len().saturating_mul(LEDGER_BYTES).saturating_add(COMMAND_BYTES);
        let mut by_hash = Cmd::with_capacity(parts.saturating_add(10), bytes);
        by_hash.arg("EVALSHA").arg(inner.script.get_hash());
        fill(&mut by_hash, call, (life, inner.doubt()), ledgers);
        inner.questions.fetch_add(1, Ordering::Relaxed);
        // What is lost on the way is not used; but permits come back once, and what was used is owed once.
        let again = matches!(call.form, Form::Take { .. } | Form::Look);
        let answer = match connection.send(&by_hash, again).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut whole = redis::cmd("EVAL");
                fill(whole.arg(SCRIPT), call, (life, inner.doubt()), ledgers);
                inner.questions.fetch_add(1, Ordering::Relaxed);
                connection.send(&whole, again).await?
            }
            answered => answered?,
        };
        redis::from_redis_value(answer).map_err(Into::into)
    }
}

/// The keys and arguments of the script. What is known of the server's lives says whether they are to be doubted.
pub(super) fn fill(command: &mut Cmd, call: &Call, (life, doubt): (&str, i64), ledgers: &[Ledger]) {
    command.arg(ledgers.len());
    for (key, _) in ledgers {
        command.arg(key);
    }
    match call.form {
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
    for argument in call.limit.arguments() {
        command.arg(argument);
    }
    for (_, count) in ledgers {
        command.arg(count);
    }
}
