use super::*;

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime")
}

fn plan() -> Plan {
    Plan::from_env(1.0, runtime, "cargo test --workspace --features ssr what_each_client_applied")
}

#[test]
fn what_each_client_applied_is_the_log() {
    let plan = plan();
    let totals = plan.play(|| MemoryLog::new());
    if plan.count >= 1_000 {
        for (name, count) in totals.told() {
            assert!(count > 0, "never happened: {name}");
        }
    }
}

#[test]
fn a_seed_always_gives_the_same_history() {
    let (plan, totals) = (plan(), Arc::default());
    for seed in 1..=20 {
        let first = plan.one(seed, MemoryLog::new(), &totals);
        assert_eq!(first, plan.one(seed, MemoryLog::new(), &totals), "seed {seed}");
        assert_ne!(first, plan.one(seed + 20, MemoryLog::new(), &totals), "another seed, another history");
    }
}
