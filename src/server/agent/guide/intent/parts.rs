//! Where a question may come apart.

/// What may join two questions; of two that start alike the longer comes first.
const JOINTS: &[&str] = &[
    ", and then ",
    ", then ",
    ", and ",
    ", plus ",
    " and then ",
    " then ",
    " and ",
    " plus ",
    "; ",
    ";",
    ", ",
    "? ",
    ". ",
    "\n",
];
/// Most parts; what is behind stays in the last.
const MAX_PARTS: usize = 12;

/// A question in parts that can be put together again.
pub(super) struct Parts<'a> {
    text: &'a str,
    /// Start and end of each part, in bytes.
    ranges: Vec<(usize, usize)>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        // ASCII only, so that places are the same in both.
        let lower = text.to_ascii_lowercase();
        let (mut ranges, mut start, mut at) = (Vec::new(), 0, 0);
        while at < lower.len() && ranges.len() + 1 < MAX_PARTS {
            let joint = lower.get(at..).and_then(|rest| JOINTS.iter().find(|joint| rest.starts_with(**joint)));
            if let Some(joint) = joint {
                ranges.push((start, at));
                at += joint.len();
                start = at;
            } else {
                at += 1;
            }
        }
        ranges.push((start, text.len()));
        Self { text, ranges }
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The parts `from..to` as they stand in the question, on one line.
    pub(super) fn join(&self, from: usize, to: usize) -> String {
        let range = self.ranges.get(from).zip(self.ranges.get(to.saturating_sub(1)));
        let text = range.and_then(|(first, last)| self.text.get(first.0..last.1)).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Whether the joint before part `index` is a `plus`.
    pub(super) fn joined_by_plus(&self, index: usize) -> bool {
        let gap = index.checked_sub(1).and_then(|before| self.ranges.get(before)).zip(self.ranges.get(index));
        gap.and_then(|(before, after)| self.text.get(before.1..after.0))
            .is_some_and(|joint| joint.to_ascii_lowercase().contains("plus"))
    }
}
