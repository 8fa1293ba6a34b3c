//! What becomes of results that somebody has changed or deleted while the task runs? They are restored from what is
//! still known, or reported: in a condition, an Event and the ConfigMap itself.

use crate::api::TaskPhase;
use crate::api::conditions::{ConditionStatus, ConditionType, is_true};
use crate::api::reasons::{ConditionReason, EventReason};
use crate::core::ids::{Index, Time};
use crate::core::pod::EventType;
use crate::core::pod::ResultNames;
use crate::core::pods::Pods;
use crate::core::results::Shard;
use crate::core::results::keeping::{Damage, items_in_words};
use crate::core::results::places::Places;
use crate::core::task::{Stage, Task};

impl Task {
    /// What is to be stored now. At the end of the task, and before the reduce, every ConfigMap is looked at once more.
    pub(super) fn shards_to_store(&mut self, now: Time) -> Vec<Shard> {
        let ends = matches!(self.stage, Stage::Ended { .. });
        // A reduce that may not start yet has yet to find every ConfigMap there.
        let reduces = self.reduction.as_ref().is_some_and(|reduction| reduction.run().not_before().is_some());
        let (Stage::Running(run) | Stage::Ended { run: Some(run), .. }) = &self.stage else { return Vec::new() };
        let Some(layout) = run.spec().results else { return Vec::new() };
        let lines = run.items().results();
        let list = self.first_attempt().0 - 1;
        let mut shards = if ends || reduces { layout.shard_all(lines) } else { layout.shard(lines) };
        for shard in &mut shards {
            shard.list = list;
            shard.stored = run.items().stored_places(shard);
            self.damage.mark(shard);
        }
        if !reduces {
            // No gap in the list: what comes after it would have the place of other items.
            let succeeded = matches!(self.stage, Stage::Ended { phase: TaskPhase::Succeeded, .. });
            let last = shards.iter().rev().find(|shard| !shard.lines.is_empty() || !shard.stored.is_empty());
            // What is left of a former list is replaced, whatever became of the items.
            let wanted =
                if succeeded || ends && list > 0 { layout.shards() } else { last.map_or(0, |last| last.number + 1) };
            shards.retain(|shard| shard.number < wanted);
        }
        if (ends || reduces)
            && self.damage.is_empty()
            && is_true(&self.summary.conditions, ConditionType::ResultsDamaged)
        {
            let words = "all results are complete again";
            self.summary.set(
                now,
                ConditionType::ResultsDamaged,
                ConditionStatus::False,
                ConditionReason::Restored,
                words,
            );
        }
        shards
    }

    /// Results were found to be changed or deleted, and nothing was recorded. What pods still tell is stored again.
    pub fn handle_damaged(&mut self, now: Time, damage: &[Damage], pods: &Pods) {
        self.writer.void();
        let uid = &self.uid;
        let (Stage::Running(run) | Stage::Ended { run: Some(run), .. }) = &mut self.stage else { return };
        let Some(layout) = run.spec().results else { return };
        let (mut restored, mut told) = (Vec::new(), false);
        for Damage { shard, places } in damage {
            let first = shard * layout.items_per_shard();
            let mut lost = Vec::new();
            for place in places.iter() {
                let index = Index(first + place);
                if run.restore(index, pods, uid) { restored.push(index.0) } else { lost.push(place) }
            }
            told |= self.damage.set(*shard, lost.into_iter().collect());
        }
        self.writer.change();
        let restored: Places = restored.into_iter().collect();
        if !restored.is_empty() {
            let items = items_in_words(&restored);
            let note =
                format!("results of items {items} were changed or deleted, and have been restored from their pods");
            self.emit(EventReason::ResultsRestored, EventType::Warning, &note);
        }
        if told {
            let message = self.damage_in_words();
            self.summary.set(
                now,
                ConditionType::ResultsDamaged,
                ConditionStatus::True,
                ConditionReason::ChangedOrDeleted,
                &message,
            );
            self.emit_recorded(EventReason::ResultsDamaged, EventType::Warning, &message);
        }
    }

    /// Why a reduce may not start: it would take what is missing for results.
    pub(super) fn damage_before_reduce(&self) -> Option<String> {
        let waits = self.reduction.as_ref().is_some_and(|reduction| reduction.run().not_before().is_some());
        (waits && !self.damage.is_empty()).then(|| self.damage_in_words())
    }

    fn damage_in_words(&self) -> String {
        let layout = self.map().and_then(|run| run.spec().results);
        let (per_shard, shards) = layout.map_or((1, 1), |layout| (layout.items_per_shard(), layout.shards()));
        let words = self.damage.in_words(&ResultNames::new(&self.key.name, shards), per_shard);
        format!("results in {words} were changed or deleted by somebody else: run these items again with spec.rerun")
    }
}
