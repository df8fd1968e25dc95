//! The people of a history: they allow, refuse, come late, come twice, and stop what works. What they did is noted, and held
//! against what the events tell.

use std::collections::{HashMap, HashSet};

use super::{Ground, count, faulty::Record, world::World};
use crate::{
    id::{CommandId, RunId, ThreadId, UserId},
    log::ChildRun,
    memory::{Ruling, Verdict},
    model::{Run, RunStatus, ToolStatus},
};

/// What people were asked and did.
#[derive(Default)]
pub(super) struct People {
    pub(super) asked: HashMap<String, Asked>,
    /// For which call of which run a run works.
    pub(super) parents: HashMap<RunId, (RunId, String)>,
    /// Runs that were stopped.
    pub(super) to_stop: HashMap<RunId, Stop>,
}

/// A question.
pub(super) struct Asked {
    pub(super) thread: ThreadId,
    /// The decision that counts; expired where it is neither yes nor no.
    pub(super) ruled: Option<Verdict>,
}

/// A stop.
#[derive(Clone, Copy)]
pub(super) struct Stop {
    /// The store said that it keeps it for this run.
    pub(super) kept: bool,
    /// Nobody worked on the run, so that nobody can have been too fast.
    certain: bool,
}

impl Asked {
    /// What the store says of it must be what happened.
    pub(super) fn check(&self, verdict: Verdict) {
        assert_eq!(verdict, self.ruled.unwrap_or(Verdict::Open), "no decision is lost, and the first counts");
    }
}

impl People {
    /// A run begins for another: what was to stop that one is to stop it, too.
    pub(super) fn hand_over(&mut self, parent: RunId, child: &ChildRun) {
        self.parents.insert(child.run_id, (parent, child.tool_call_id.clone()));
        if self.to_stop.contains_key(&parent) {
            self.to_stop.insert(child.run_id, Stop { kept: true, certain: true });
        }
    }

    fn is_below(&self, run: RunId, other: RunId) -> bool {
        let mut above = std::iter::successors(Some(run), |run| self.parents.get(run).map(|(parent, _)| *parent));
        above.any(|run| run == other)
    }

    /// Whether what was stopped has ended, but for what has not begun.
    pub(super) fn stops_are_heard(&self, record: &Record, thread: ThreadId) -> bool {
        let has_begun = |run: &Run| run.status != RunStatus::Queued && !run.has_ended();
        let ended = |run: &Run| !has_begun(run) || !self.to_stop.contains_key(&run.run_id);
        record.thread(thread).state.runs.iter().all(|run| ended(run))
    }

    /// Holds the thread's events against what people did.
    pub(super) fn check(&self, record: &Record, thread: ThreadId, effects: &HashSet<String>) {
        let runs = &record.thread(thread).state.runs;
        for run in runs {
            let stopped = self.to_stop.get(&run.run_id).is_some_and(|stop| stop.certain);
            if stopped && run.status != RunStatus::Queued {
                assert_eq!(run.status, RunStatus::Stopped, "a stop reaches all that works for a run");
            }
            for call in run.tools() {
                let status = call.status.expect("every call ends");
                let Some(asked) = self.asked.get(&call.tool_call_id) else { continue };
                let worked = effects.contains(&call.tool_call_id);
                match asked.ruled {
                    Some(Verdict::Approved) => {
                        let refused = status == ToolStatus::Denied;
                        assert!(!refused || self.to_stop.contains_key(&run.run_id), "what was allowed is done");
                        assert!(worked != refused || status == ToolStatus::Interrupted, "it is told as it was");
                    }
                    Some(Verdict::Denied | Verdict::Expired | Verdict::Open) | None => {
                        assert_eq!((worked, status), (false, ToolStatus::Denied), "what nobody allowed is not done");
                    }
                }
            }
        }
        for (child, (parent, _)) in &self.parents {
            if runs.iter().any(|run| run.run_id == *parent) {
                assert!(runs.iter().any(|run| run.run_id == *child), "who is asked to help works");
            }
        }
    }
}

impl World {
    /// People decide, or do not, and stop what takes too long.
    pub(super) async fn people_act(&mut self, of: usize, thread: ThreadId) {
        let (user, ground) = (self.users[of].id, self.ground.clone());
        let open: Vec<String> = {
            let record = self.log.record();
            let active = record.thread(thread).state.active_runs();
            let calls = active.flat_map(Run::tools).filter(|call| call.approval_expires_at.is_some());
            calls.map(|call| call.tool_call_id.clone()).collect()
        };
        for call in open {
            match self.random.u8(0..if self.ending { 3 } else { 12 }) {
                0 => self.decide(&*ground, user, &call, true).await,
                1 => self.decide(&*ground, user, &call, false).await,
                2 => {
                    ground.expire(thread, &call).await;
                    let asked = self.people.asked.get_mut(&call).expect("somebody was asked");
                    if asked.ruled.is_none() {
                        asked.ruled = Some(Verdict::Expired);
                        count(&self.totals.expired);
                    }
                }
                _ => continue,
            }
            // Another tab, or another person, that has not seen it yet.
            if self.random.u8(0..4) == 0 {
                let approve = self.random.bool();
                self.decide(&*ground, user, &call, approve).await;
            }
        }
        if !self.ending && self.random.u8(0..40) == 0 {
            self.stop(thread).await;
        }
    }

    async fn decide(&mut self, ground: &dyn Ground, user: UserId, call: &str, approve: bool) {
        let asked = self.people.asked.get_mut(call).expect("somebody was asked");
        let command = CommandId::new();
        let ruling = ground.decide(asked.thread, user, command, call, approve).await;
        let wanted = match asked.ruled {
            None => {
                asked.ruled = Some(if approve { Verdict::Approved } else { Verdict::Denied });
                count(&self.totals.decided);
                Ruling::Counts
            }
            Some(Verdict::Expired) => {
                count(&self.totals.too_late);
                Ruling::Expired
            }
            Some(Verdict::Approved | Verdict::Denied | Verdict::Open) => {
                count(&self.totals.conflicts);
                Ruling::Conflict
            }
        };
        assert_eq!(ruling, wanted, "the first decision counts");
        if self.random.bool() {
            // Whoever heard no answer sends it again.
            assert_eq!(ground.decide(asked.thread, user, command, call, approve).await, wanted, "the same answer");
        }
    }

    async fn stop(&mut self, thread: ThreadId) {
        let active: Vec<RunId> = self.log.record().thread(thread).state.active_runs().map(|run| run.run_id).collect();
        let Some(run) = active.get(self.random.usize(0..active.len().max(1))).copied() else { return };
        count(&self.totals.stops);
        let stopped = self.ground.stop(thread, run).await;
        let below: Vec<RunId> = active.into_iter().filter(|other| self.people.is_below(*other, run)).collect();
        assert!(below.iter().all(|run| stopped.contains(run)), "a stop reaches all that works for a run");
        for run in stopped {
            let certain = !self.working.iter().any(|working| working.run == run);
            let before = self.people.to_stop.get(&run).is_some_and(|stop| stop.certain);
            self.people.to_stop.insert(run, Stop { kept: true, certain: certain || before });
        }
    }
}
