//! The agents of a history: they speak, call tools, ask people, hand work to others, wait, and die between any two of these.

use std::time::Duration;

use super::{
    count,
    people::Asked,
    world::{World, say},
};
use crate::{
    emitter::Emitter,
    id::{RunId, ThreadId},
    log::{ChildRun, Wait},
    memory::{Claimed, Verdict},
    model::{RunStatus, ToolCall, ToolStatus},
    payload as p,
    time::Timestamp,
};

/// How deep work is handed on.
const DEPTH: usize = 2;

const WAIT: Wait = Wait { worked: Duration::from_millis(1) };

/// The process died, between two transactions.
pub(super) struct Died;

/// A run that an agent works on.
pub(super) struct Working {
    pub(super) thread: ThreadId,
    pub(super) run: RunId,
    pub(super) emitter: Emitter,
    /// What an earlier owner left is still to be looked at.
    taken_up: bool,
    woken: bool,
    /// Its agent knows that it is to stop.
    pub(super) stopped: bool,
}

impl Working {
    pub(super) fn new(thread: ThreadId, emitter: Emitter, claimed: &Claimed) -> Self {
        let (run, stopped, woken) = (claimed.fence.run_id, claimed.stopped, claimed.woken);
        Self { thread, run, emitter, taken_up: true, woken, stopped }
    }

    /// It can go on and speak.
    pub(super) fn is_settled(&self) -> bool {
        !self.taken_up && !self.stopped
    }
}

impl World {
    /// Between any two transactions the process may die.
    fn alive(&mut self) -> Result<(), Died> {
        if !self.ending && self.random.u16(0..500) == 0 {
            count(&self.totals.died);
            return Err(Died);
        }
        Ok(())
    }

    /// It dies most often while a tool works, which takes the longest.
    fn alive_at_work(&mut self) -> Result<(), Died> {
        if !self.ending && self.random.u8(0..50) == 0 {
            count(&self.totals.died);
            return Err(Died);
        }
        Ok(())
    }

    fn place_of(&self, run: RunId) -> Option<usize> {
        self.working.iter().position(|working| working.run == run)
    }

    /// The agent of a run works a little.
    pub(super) async fn go_on(&mut self, run: RunId) -> Result<(), Died> {
        let Some(at) = self.place_of(run) else { return Ok(()) };
        let (thread, emitter) = (self.working[at].thread, self.working[at].emitter.clone());
        if !self.working[at].stopped && self.people.to_stop.contains_key(&run) && (self.ending || self.random.bool()) {
            // It hears of it while it works, as a process does that renews its lease.
            self.working[at].stopped = true;
        }
        if self.working[at].taken_up && !self.resume(at).await? {
            return Ok(());
        }
        if self.working[at].stopped {
            return self.complete(run, &emitter, p::CompletedStatus::Stopped).await;
        }
        let parent = self.people.parents.get(&run).map(|(parent, _)| *parent);
        if self.ending {
            if parent.is_some() {
                return self.complete(run, &emitter, p::CompletedStatus::Completed).await;
            }
            return Ok(());
        }
        for _ in 0..self.random.usize(0..4) {
            self.alive()?;
            assert_eq!(say(&emitter, &mut self.random).await, Ok(()), "its own run");
        }
        let ends = if parent.is_some() { 4 } else { 12 };
        if self.random.u8(0..ends) == 0 {
            return self.complete(run, &emitter, p::CompletedStatus::Completed).await;
        }
        let above = std::iter::successors(parent, |run| self.people.parents.get(run).map(|(parent, _)| *parent));
        let may_hand_over = above.count() < DEPTH;
        match self.random.u8(0..24) {
            0 | 1 => self.use_tool(&emitter).await,
            2 => self.wait_for(thread, run, &emitter, 1, 0).await,
            3 if may_hand_over => self.wait_for(thread, run, &emitter, 0, 1).await,
            4 if may_hand_over => {
                let (questions, children) = (self.random.u8(0..2), self.random.u8(1..3));
                self.wait_for(thread, run, &emitter, questions, children).await
            }
            _ => Ok(()),
        }
    }

    async fn complete(&mut self, run: RunId, emitter: &Emitter, status: p::CompletedStatus) -> Result<(), Died> {
        self.alive()?;
        let done = p::AgentCompleted { agent: "guide".into(), status, duration_ms: 1, usage: None };
        assert_eq!(emitter.agent_completed(done).await, Ok(()), "its own run");
        self.working.retain(|working| working.run != run);
        Ok(())
    }

    fn name(&mut self, run: RunId) -> String {
        self.named += 1;
        format!("{run}-{}", self.named)
    }

    /// Calls a tool that must not be called twice.
    async fn use_tool(&mut self, emitter: &Emitter) -> Result<(), Died> {
        let call = self.name(RunId::new());
        self.execute(emitter, &call).await
    }

    async fn execute(&mut self, emitter: &Emitter, call: &str) -> Result<(), Died> {
        self.alive()?;
        assert_eq!(emitter.tool_executing(executing(call)).await, Ok(()), "its own run");
        self.alive_at_work()?;
        assert!(self.effects.insert(call.to_owned()), "no call works twice");
        count(&self.totals.calls);
        self.alive_at_work()?;
        self.end_call(emitter, call, ToolStatus::Ok).await
    }

    async fn end_call(&mut self, emitter: &Emitter, call: &str, status: ToolStatus) -> Result<(), Died> {
        self.alive()?;
        let done = p::ToolCompleted {
            tool_call_id: call.to_owned(),
            tool: "stamp".to_owned(),
            status,
            result: serde_json::Value::Bool(true),
            duration_ms: 1,
            decided_by: None,
        };
        assert_eq!(emitter.tool_completed(done).await, Ok(()), "its own run");
        Ok(())
    }

    /// Asks people and hands work to others, and waits for them: with the last of it, or afterwards.
    async fn wait_for(
        &mut self,
        thread: ThreadId,
        run: RunId,
        emitter: &Emitter,
        questions: u8,
        children: u8,
    ) -> Result<(), Died> {
        let at_once = self.random.bool();
        let mut wait = None;
        for number in 1..=questions + children {
            self.alive()?;
            wait = (at_once && number == questions + children).then_some(WAIT);
            let call = self.name(run);
            if number <= questions {
                count(&self.totals.asked);
                self.people.asked.insert(call.clone(), Asked { thread, ruled: None });
                assert_eq!(emitter.tool_approval_required(question(&call), wait).await, Ok(()), "its own run");
            } else {
                count(&self.totals.children);
                let (agent, task) = ("helper".to_owned(), "Help.".to_owned());
                let child = ChildRun { run_id: RunId::new(), tool_call_id: call.clone(), agent, task };
                self.people.hand_over(run, &child);
                assert_eq!(emitter.hand_over(executing(&call), child, wait).await, Ok(()), "its own run");
            }
        }
        if wait.is_none() {
            self.alive()?;
            assert_eq!(emitter.wait(WAIT).await, Ok(()), "its own run");
        }
        count(&self.totals.waits);
        self.working.retain(|working| working.run != run);
        Ok(())
    }

    /// Ends what can be ended of the calls that an earlier owner left; whether there is nothing more to wait for.
    async fn resume(&mut self, at: usize) -> Result<bool, Died> {
        let Working { thread, run, ref emitter, woken, stopped, .. } = self.working[at];
        let emitter = emitter.clone();
        let known = self.log.record().run(thread, run).expect("it has started");
        let verdicts = self.ground.verdicts(thread, run).await;
        let children = self.ground.children(thread, run).await;
        let open: Vec<ToolCall> = known.tools().filter(|call| call.status.is_none()).cloned().collect();
        let (mut waits, mut happened) = (false, stopped);
        for call in open {
            let id = call.tool_call_id;
            if let Some((_, _, ended)) = children.iter().find(|(of, _, _)| *of == id) {
                match ended {
                    None => waits = true,
                    Some(ended) => {
                        happened = true;
                        let answered = *ended == RunStatus::Completed;
                        let status = if answered { ToolStatus::Ok } else { ToolStatus::Interrupted };
                        self.end_call(&emitter, &id, status).await?;
                    }
                }
            } else if call.approval_expires_at.is_some() {
                let verdict = verdicts.iter().find(|(of, _)| *of == id).map(|(_, verdict)| *verdict);
                let verdict = verdict.expect("a question stands as soon as its event does");
                self.people.asked[&id].check(verdict);
                match verdict {
                    Verdict::Open if !stopped => waits = true,
                    Verdict::Approved if !stopped => {
                        happened = true;
                        self.execute(&emitter, &id).await?;
                    }
                    Verdict::Open | Verdict::Approved | Verdict::Denied | Verdict::Expired => {
                        happened = true;
                        self.end_call(&emitter, &id, ToolStatus::Denied).await?;
                    }
                }
            } else {
                count(&self.totals.interrupted);
                self.end_call(&emitter, &id, ToolStatus::Interrupted).await?;
            }
        }
        assert!(!woken || happened, "nothing wakes a run but what it waits for");
        if waits {
            self.alive()?;
            assert_eq!(emitter.wait(WAIT).await, Ok(()), "its own run");
            count(&self.totals.waits);
            self.working.retain(|working| working.run != run);
            return Ok(false);
        }
        self.working[at].taken_up = false;
        Ok(true)
    }
}

fn executing(call: &str) -> p::ToolExecuting {
    let (tool, agent) = ("stamp".to_owned(), "guide".to_owned());
    let arguments = crate::model::Object::new();
    p::ToolExecuting { tool_call_id: call.to_owned(), tool, agent, arguments, decided_by: None }
}

fn question(call: &str) -> p::ToolApprovalRequired {
    let (tool, agent) = ("stamp".to_owned(), "guide".to_owned());
    p::ToolApprovalRequired {
        tool_call_id: call.to_owned(),
        tool,
        agent,
        arguments: crate::model::Object::new(),
        // A history's clock is not the store's: what ends, ends by `Ground::expire`.
        expires_at: Timestamp::now().plus(Duration::from_hours(1)),
        message: None,
        options: Vec::new(),
        form: None,
    }
}
