//! The memory, processors and load of this box. The tools of LXC do not report them.

use rustix::system::{Sysinfo, sysinfo};

use crate::containers::node::Capacity;

/// The unit of [`Sysinfo::loads`]: 2^16 is a load of 1.
const LOAD: f64 = 65_536.0;

/// Reads what the kernel reports.
pub(super) fn of_this_box() -> Capacity {
    of(&sysinfo(), std::fs::read_to_string("/proc/meminfo").ok().as_deref())
}

/// `meminfo` is `None` in the packaged unit, which hides the file (`ProcSubset=pid`). Then the page cache counts as used.
fn of(info: &Sysinfo, meminfo: Option<&str>) -> Capacity {
    let bytes = |units: u64| units.saturating_mul(u64::from(info.mem_unit));
    let free = meminfo.and_then(available).unwrap_or_else(|| bytes(info.freeram.saturating_add(info.bufferram)));
    let memory = bytes(info.totalram);
    #[allow(clippy::cast_precision_loss, reason = "the load of a machine")]
    let load = info.loads[0] as f64 / LOAD;
    Capacity {
        memory,
        memory_used: memory.saturating_sub(free),
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
        load: Some(load),
    }
}

/// The value of `MemAvailable`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_hides_its_memory_from_the_unit_has_some_all_the_same() {
        let info = sysinfo();
        for meminfo in [None, Some("MemTotal: 9 kB\n"), Some("MemTotal: 9 kB\nMemAvailable:    1024 kB\n")] {
            let has = of(&info, meminfo);
            assert!(has.memory > 1 << 20 && has.memory_used < has.memory && has.cores > 0, "{has:?}");
            assert!(has.load.is_some_and(|load| (0.0..10_000.0).contains(&load)), "{has:?}");
        }
        assert_eq!(of(&info, Some("MemAvailable: 1024 kB")).memory_used, of_this_box().memory - (1 << 20));
    }
}
