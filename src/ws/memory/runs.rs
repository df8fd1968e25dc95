//! The runs of a thread in memory: which may be claimed, what they wait for, and what makes them claimable again. As in a
//! database, what belongs together happens at once: everything is under the log's lock.

use crate::{
    id::RunId,
    log::{Append, Fence, LogError},
    message::Event,
    model::RunStatus,
    payload::CompletedStatus,
};

/// A run to work on.
#[derive(Clone, Copy, Debug)]
pub struct Claimed {
    /// Proof of owning it.
    pub fence: Fence,
    /// Somebody stopped it, perhaps in another process's time.
    pub stopped: bool,
    /// It waited, and what it waited for has happened.
    pub woken: bool,
}

/// What a person's decision came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It counts; or it is the very command that counted.
    Counts,
    /// Somebody decided before.
    Conflict,
    /// It came too late.
    Expired,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody has decided yet.
    Open,
    /// Nobody decided in time.
    Expired,
    /// Yes.
    Approved,
    /// No.
    Denied,
}

/// A thread's runs, oldest first, and what people are asked.
#[derive(Default)]
pub(super) struct Runs {
    runs: Vec<Kept>,
    questions: Vec<Asked>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    Running,
    /// Nobody holds it.
    Waiting,
    Ended(RunStatus),
}

struct Kept {
    id: RunId,
    /// For which run it works, and the call that it answers.
    parent: Option<(RunId, String)>,
    token: i64,
    state: State,
    started: bool,
    stopped: bool,
    /// Its parent's events tell what it came to.
    joined: bool,
}

impl Kept {
    fn new(id: RunId, parent: Option<(RunId, String)>, stopped: bool) -> Self {
        Self { id, parent, token: 0, state: State::Queued, started: false, stopped, joined: false }
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    fn works_for(&self, run: RunId) -> bool {
        self.parent.as_ref().is_some_and(|(parent, _)| *parent == run)
    }

    fn wake(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Queued;
        }
    }
}

struct Asked {
    run: RunId,
    call: String,
    expired: bool,
    /// The run's events tell what became of it.
    taken: bool,
    decision: Option<bool>,
}

impl Asked {
    fn verdict(&self) -> Verdict {
        match self.decision {
            Some(true) => Verdict::Approved,
            Some(false) => Verdict::Denied,
            None if self.expired => Verdict::Expired,
            None => Verdict::Open,
        }
    }
}

impl Runs {
    fn find(&mut self, run: RunId) -> Option<&mut Kept> {
        self.runs.iter_mut().find(|kept| kept.id == run)
    }

    /// Whether a run has this id.
    pub(super) fn has(&self, id: uuid::Uuid) -> bool {
        self.runs.iter().any(|kept| kept.id.uuid() == id)
    }

    /// Adds a run that answers a person.
    pub(super) fn add(&mut self, run: RunId) {
        self.runs.push(Kept::new(run, None, false));
    }

    /// Claims a run, a new one too, whatever it waits for.
    pub(super) fn claim(&mut self, run: RunId) -> Fence {
        if self.find(run).is_none() {
            self.add(run);
        }
        let kept = self.find(run).expect("it was added");
        kept.token += 1;
        if !kept.has_ended() {
            kept.state = State::Running;
        }
        Fence { run_id: run, token: kept.token }
    }

    /// Claims the next run that nobody of `working` is: those that work for others, and of the others the oldest, unless it waits.
    pub(super) fn claim_next(&mut self, working: &[RunId]) -> Option<Claimed> {
        let oldest = self.runs.iter().find(|kept| kept.parent.is_none() && !kept.has_ended()).map(|kept| kept.id);
        let claimable = |kept: &&mut Kept| match kept.state {
            State::Queued | State::Running => {
                (kept.parent.is_some() || Some(kept.id) == oldest) && !working.contains(&kept.id)
            }
            State::Waiting | State::Ended(_) => false,
        };
        let kept = self.runs.iter_mut().find(claimable)?;
        kept.token += 1;
        let woken = kept.started && kept.state == State::Queued;
        kept.state = State::Running;
        Some(Claimed { fence: Fence { run_id: kept.id, token: kept.token }, stopped: kept.stopped, woken })
    }

    /// Whether whoever holds the fence may write.
    pub(super) fn check(&self, fence: Fence) -> Result<(), LogError> {
        match self.runs.iter().find(|kept| kept.id == fence.run_id) {
            None => Err(LogError::NotFound),
            Some(kept) if kept.token == fence.token && kept.state == State::Running => Ok(()),
            Some(_) => Err(LogError::Fenced),
        }
    }

    /// Whether its owner with this fence left the run, which waits or can be claimed since then.
    pub(super) fn was_left(&self, fence: Fence) -> bool {
        let left = |kept: &Kept| match kept.state {
            State::Queued | State::Waiting => kept.id == fence.run_id && kept.token == fence.token,
            State::Running | State::Ended(_) => false,
        };
        self.runs.iter().any(left)
    }

    /// Takes in what a run's events say, and that it waits.
    pub(super) fn take_in(&mut self, append: &Append) {
        let run = append.fence.run_id;
        for event in &append.events {
            self.take_in_event(run, &event.event);
        }
        let stopped = self.find(run).is_some_and(|kept| kept.stopped);
        for child in &append.children {
            self.runs.push(Kept::new(child.run_id, Some((run, child.tool_call_id.clone())), stopped));
        }
        if append.wait.is_some() {
            self.begin_to_wait(run);
        }
    }

    fn take_in_event(&mut self, run: RunId, event: &Event) {
        match event {
            Event::AgentStarted(_) => {
                if let Some(kept) = self.find(run) {
                    kept.started = true;
                }
            }
            Event::ToolApprovalRequired(asked) => {
                let call = asked.tool_call_id.clone();
                self.questions.push(Asked { run, call, expired: false, taken: false, decision: None });
            }
            Event::ToolExecuting(call) => self.taken(run, &call.tool_call_id),
            Event::ToolCompleted(call) => {
                self.taken(run, &call.tool_call_id);
                let answers = |kept: &&mut Kept| {
                    kept.parent.as_ref().is_some_and(|(parent, of)| *parent == run && *of == call.tool_call_id)
                };
                for child in self.runs.iter_mut().filter(answers) {
                    child.joined = true;
                }
            }
            Event::AgentCompleted(done) => self.end(
                run,
                match done.status {
                    CompletedStatus::Stopped => RunStatus::Stopped,
                    CompletedStatus::Completed | CompletedStatus::Unknown(_) => RunStatus::Completed,
                },
            ),
            Event::AgentError(_) => self.end(run, RunStatus::Failed),
            Event::ThreadMessage(_)
            | Event::AgentThinking(_)
            | Event::AgentProgress(_)
            | Event::PartialResult(_)
            | Event::AgentResponse(_) => {}
        }
    }

    fn taken(&mut self, run: RunId, call: &str) {
        for asked in self.questions.iter_mut().filter(|asked| asked.run == run && asked.call == call) {
            asked.taken = true;
        }
    }

    fn end(&mut self, run: RunId, status: RunStatus) {
        let Some(kept) = self.find(run) else { return };
        kept.state = State::Ended(status);
        if let Some((parent, _)) = kept.parent.clone()
            && let Some(parent) = self.find(parent)
        {
            parent.wake();
        }
    }

    /// The run waits, unless what it would wait for has happened, or there is nothing to wait for. One that is to stop waits for
    /// those that work for it, which are to stop too.
    fn begin_to_wait(&mut self, run: RunId) {
        let pending = || self.questions.iter().filter(|asked| asked.run == run && !asked.taken);
        let asks = pending().any(|asked| asked.verdict() == Verdict::Open);
        let decided = pending().any(|asked| asked.verdict() != Verdict::Open);
        let children = || self.runs.iter().filter(|kept| kept.works_for(run));
        let works = children().any(|kept| !kept.has_ended());
        let ended = children().any(|kept| kept.has_ended() && !kept.joined);
        let Some(kept) = self.find(run) else { return };
        let for_others = works && !ended && (kept.stopped || !decided);
        let for_people = asks && !ended && !decided && !kept.stopped;
        kept.state = if for_others || for_people { State::Waiting } else { State::Queued };
    }

    /// A person decides. What was decided or is over stays so.
    pub(super) fn decide(&mut self, call: &str, approve: bool) -> Option<Ruling> {
        let asked = self.questions.iter_mut().find(|asked| asked.call == call)?;
        match asked.verdict() {
            Verdict::Approved | Verdict::Denied => return Some(Ruling::Conflict),
            Verdict::Open | Verdict::Expired if asked.taken => return Some(Ruling::Conflict),
            Verdict::Expired => return Some(Ruling::Expired),
            Verdict::Open => asked.decision = Some(approve),
        }
        let run = asked.run;
        if let Some(kept) = self.find(run) {
            kept.wake();
        }
        Some(Ruling::Counts)
    }

    /// The time for a decision is over.
    pub(super) fn expire(&mut self, call: &str) {
        let Some(asked) = self.questions.iter_mut().find(|asked| asked.call == call) else { return };
        asked.expired = true;
        let (run, counts) = (asked.run, asked.verdict() == Verdict::Expired && !asked.taken);
        if let Some(kept) = self.find(run).filter(|_| counts) {
            kept.wake();
        }
    }

    /// A run and all that work for it are to stop; which those are.
    pub(super) fn stop(&mut self, run: RunId) -> Vec<RunId> {
        let mut tree = vec![run];
        let mut stopped = Vec::new();
        // Whoever works for a run comes after it.
        for kept in &mut self.runs {
            let below = kept.parent.as_ref().is_some_and(|(parent, _)| tree.contains(parent));
            if below {
                tree.push(kept.id);
            }
            if (below || kept.id == run) && !kept.has_ended() {
                kept.stopped = true;
                kept.wake();
                stopped.push(kept.id);
            }
        }
        stopped
    }

    /// What became of the questions of a run.
    pub(super) fn verdicts(&self, run: RunId) -> Vec<(String, Verdict)> {
        let of_run = self.questions.iter().filter(|asked| asked.run == run);
        of_run.map(|asked| (asked.call.clone(), asked.verdict())).collect()
    }

    /// The calls that other runs answer, and how those ended.
    pub(super) fn children(&self, run: RunId) -> Vec<(String, RunId, Option<RunStatus>)> {
        let child = |kept: &Kept| {
            let (parent, call) = kept.parent.as_ref()?;
            let ended = match kept.state {
                State::Ended(status) => Some(status),
                State::Queued | State::Running | State::Waiting => None,
            };
            (*parent == run).then(|| (call.clone(), kept.id, ended))
        };
        self.runs.iter().filter_map(child).collect()
    }
}
