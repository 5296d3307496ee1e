//! Disks: laws for any requests, and each fault by itself.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::sim::Delay;

const ALWAYS: u32 = 1_000_000;

fn disk(seed: u64) -> Disk {
    Disk::new(Seed::from(seed))
}

fn append(data: impl Into<Bytes>) -> DiskRequest {
    DiskRequest::Append { file: "f".into(), data: data.into() }
}

fn sync() -> DiskRequest {
    DiskRequest::Sync { file: "f".into() }
}

fn delete() -> DiskRequest {
    DiskRequest::Delete { file: "f".into() }
}

/// Requests to two files, small enough to overlap.
fn requests() -> impl Strategy<Value = Vec<DiskRequest>> {
    let file = || prop_oneof![Just("f".to_string()), Just("g".to_string())];
    let data = || proptest::collection::vec(1_u8.., 0..1_500).prop_map(Bytes::from);
    let request = prop_oneof![
        3 => (file(), data()).prop_map(|(file, data)| DiskRequest::Append { file, data }),
        3 => (file(), 0_u64..3_000, data()).prop_map(|(file, at, data)| DiskRequest::Write { file, at, data }),
        1 => (file(), 0_u64..3_000).prop_map(|(file, length)| DiskRequest::SetLength { file, length }),
        1 => file().prop_map(|file| DiskRequest::Delete { file }),
        2 => file().prop_map(|file| DiskRequest::Sync { file }),
        2 => (file(), 0_u64..3_000, 0_u64..3_000).prop_map(|(file, at, length)| DiskRequest::Read { file, at, length }),
    ];
    proptest::collection::vec(request, 0..20)
}

/// What files are by definition.
#[derive(Clone, Default)]
struct Model {
    files: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn perform(&mut self, request: DiskRequest) -> Result<Bytes, DiskError> {
        let done = Ok(Bytes::new());
        match request {
            DiskRequest::Append { file, data } => {
                self.files.entry(file).or_default().extend_from_slice(&data);
                done
            }
            DiskRequest::Delete { file } => self.files.remove(&file).map_or(Err(DiskError::NoFile), |_| done),
            DiskRequest::Read { file, at, length } => {
                let found = self.files.get(&file).ok_or(DiskError::NoFile)?;
                let (at, length) = (usize::try_from(at).unwrap(), usize::try_from(length).unwrap());
                Ok(found.iter().skip(at).take(length).copied().collect())
            }
            DiskRequest::SetLength { file, length } => {
                self.files.entry(file).or_default().resize(usize::try_from(length).unwrap(), 0);
                done
            }
            DiskRequest::Sync { file } => self.files.get(&file).map_or(Err(DiskError::NoFile), |_| done),
            DiskRequest::Write { file, at, data } => {
                let at = usize::try_from(at).unwrap();
                let found = self.files.entry(file).or_default();
                if !data.is_empty() && found.len() < at + data.len() {
                    found.resize(at + data.len(), 0);
                }
                data.iter().enumerate().for_each(|(place, byte)| found[at + place] = *byte);
                done
            }
        }
    }
}

/// A sector of a file, zeros where it has none.
fn sector(file: &[u8], number: usize) -> Vec<u8> {
    let bytes = file.iter().copied().chain(core::iter::repeat(0));
    bytes.skip(number * SECTOR).take(SECTOR).collect()
}

proptest! {
    #[test]
    fn a_disk_that_does_not_fail_is_files(requests in requests()) {
        let (mut disk, mut model) = (disk(1), Model::default());
        for request in requests {
            prop_assert_eq!(disk.perform(request.clone(), 0), model.perform(request));
            prop_assert_eq!(disk.files().collect::<Vec<_>>(), model.files.keys().collect::<Vec<_>>());
            for (name, file) in &model.files {
                prop_assert_eq!(disk.file(name), Some(&file[..]));
            }
        }
    }

    #[test]
    fn a_loss_of_power_leaves_what_was_synced_and_any_whole_sectors_of_the_rest(requests in requests(), seed: u64) {
        let (mut disk, mut model, mut synced) = (disk(seed), Model::default(), Model::default());
        let mut names = Vec::new(); // Of the files there were when anything was synced last.
        for request in requests {
            if let DiskRequest::Delete { file } = &request {
                synced.files.remove(file); // Another one of this name has nothing to do with it.
                names.retain(|name| name != file);
            }
            let is_done = disk.perform(request.clone(), 0).is_ok();
            model.perform(request.clone()).ok();
            if let DiskRequest::Sync { file } = request && is_done {
                names = model.files.keys().cloned().collect();
                synced.files.insert(file.clone(), model.files[&file].clone());
            }
        }
        disk.lose_power();
        for name in &names {
            let (seen, synced) = (&model.files[name], synced.files.get(name).cloned().unwrap_or_default());
            let left = disk.file(name).expect("a synced name stays");
            prop_assert!(seen.len().min(synced.len()) <= left.len() && left.len() <= seen.len().max(synced.len()));
            for number in 0..left.len().div_ceil(SECTOR) {
                let end = (left.len() - number * SECTOR).min(SECTOR);
                let [found, seen, synced] = [left, seen, &synced[..]].map(|file| sector(file, number));
                prop_assert!(found[..end] == seen[..end] || found[..end] == synced[..end], "sector {} of {}", number, name);
            }
        }
        let left = disk.files().map(|name| (name.to_string(), disk.file(name).unwrap().to_vec())).collect::<Vec<_>>();
        disk.lose_power();
        for (name, file) in &left {
            prop_assert_eq!(disk.file(name), Some(&file[..]), "what is left is durable");
        }
    }

    #[test]
    fn what_a_disk_has_no_room_for_is_not_on_it(requests in requests(), room in 0_u64..3_000) {
        let mut disk = disk(1);
        disk.set_room(Some(room));
        for request in requests {
            let before = disk.used();
            let result = disk.perform(request.clone(), 0);
            prop_assert!(disk.used() <= room);
            match request {
                DiskRequest::Append { data, .. } => {
                    let fits = (room - before).min(data.len() as u64);
                    prop_assert_eq!(disk.used(), before + fits, "a first part is written");
                    prop_assert_eq!(result == Err(DiskError::Full), fits < data.len() as u64);
                }
                DiskRequest::Delete { .. } | DiskRequest::Read { .. } | DiskRequest::Sync { .. } => {
                    prop_assert_ne!(result, Err(DiskError::Full));
                }
                _ => (),
            }
        }
    }
}

#[test]
fn a_request_that_fails_has_done_no_more_than_a_first_part() {
    let mut lengths = Vec::new();
    for seed in 0..50 {
        let mut disk = disk(seed);
        disk.perform(append("0123"), 0).unwrap();
        assert_eq!(disk.perform(append("456789"), ALWAYS), Err(DiskError::Failed));
        let file = disk.file("f").unwrap();
        assert!(b"0123456789".starts_with(file) && file.len() >= 4);
        lengths.push(file.len());
        let set = DiskRequest::SetLength { file: "f".into(), length: 1 };
        let read = DiskRequest::Read { file: "f".into(), at: 0, length: 1 };
        for request in [set, read, delete()] {
            assert_eq!(disk.perform(request, ALWAYS), Err(DiskError::Failed));
        }
        assert_eq!(disk.file("f").map(<[u8]>::len), lengths.last().copied());
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert_eq!(lengths, [4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn no_later_sync_makes_up_for_one_that_failed() {
    let mut kept = [0; 2];
    for seed in 0..50 {
        let mut disk = disk(seed);
        disk.perform(append(Bytes::from_static(&[7; SECTOR])), 0).unwrap();
        assert_eq!(disk.perform(sync(), ALWAYS), Err(DiskError::Failed));
        assert_eq!(disk.file("f"), Some(&[7; SECTOR][..]), "who reads sees nothing of it");
        disk.perform(sync(), 0).unwrap();
        disk.lose_power();
        let left = disk.file("f").unwrap();
        assert!(left == [7; SECTOR] || left == [0; SECTOR]);
        kept[usize::from(left[0] == 7)] += 1;
    }
    assert!(kept.iter().all(|count| *count > 10), "{kept:?}");
}

#[test]
fn files_come_and_go_for_good_with_the_next_sync_of_any() {
    let after = |seed, requests: &[DiskRequest]| {
        let mut disk = disk(seed);
        for request in requests {
            disk.perform(request.clone(), 0).unwrap();
        }
        disk.lose_power();
        disk
    };
    let g = || String::from("g");
    let others = [DiskRequest::Append { file: g(), data: Bytes::from_static(b"g") }, DiskRequest::Sync { file: g() }];
    let (mut born, mut back) = (0, 0);
    for seed in 0..50 {
        born += u32::from(after(seed, &[append("f")]).file("f").is_some());
        let made_and_deleted = [append("f"), sync(), delete()];
        back += u32::from(after(seed, &made_and_deleted).file("f") == Some(b"f"));
        let synced = after(seed, &[&made_and_deleted[..], &others].concat());
        assert_eq!(synced.files().collect::<Vec<_>>(), ["g"]);
    }
    assert!((10..40).contains(&born) && (10..40).contains(&back), "{born} {back}");
}

#[test]
fn requests_are_done_one_after_the_other_and_each_takes_its_time() {
    let millisecond = Duration::from_millis(1);
    let faults = Faults { disk_delay: Delay { min: millisecond, max: millisecond }, ..Faults::default() };
    let (mut disk, mut counts) = (disk(1), Counts::default());
    let at = |millis| Instant::from_millis(millis);
    assert_eq!(disk.ask(at(5), append("a"), &faults), at(6));
    assert_eq!(disk.ask(at(5), append("b"), &faults), at(7));
    assert_eq!(disk.ask(at(9), append("c"), &faults), at(10));
    assert_eq!(disk.file("f"), None);
    for expected in ["a", "ab", "abc"] {
        disk.carry_out(&faults, &mut counts).unwrap();
        assert_eq!(disk.file("f"), Some(expected.as_bytes()));
    }
    assert_eq!(counts.disk_requests, 3);
}

#[test]
fn a_process_that_crashes_leaves_a_first_part_of_what_it_asked_for() {
    let mut seen = Vec::new();
    for seed in 0..200 {
        let mut disk = disk(seed);
        for part in ["ab", "cd"] {
            disk.ask(Instant::ZERO, append(part), &Faults::default());
        }
        disk.crash(Instant::ZERO);
        let left = disk.file("f").unwrap_or_default();
        assert!(b"abcd".starts_with(left));
        seen.push(left.len());
        disk.ask(Instant::ZERO, sync(), &Faults::default());
        assert_eq!(disk.requests.len(), 1, "nothing of before is left to do");
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn rot_flips_one_bit_for_good() {
    let mut disk = disk(1);
    assert_eq!(disk.rot(), None, "there is nothing to rot");
    let whole = Vec::from([0; 1_000]);
    disk.perform(append(whole.clone()), 0).unwrap();
    disk.perform(sync(), 0).unwrap();
    let (file, at) = disk.rot().unwrap();
    disk.lose_power();
    let changed = disk.file(&file).unwrap().iter().zip(&whole).map(|(new, old)| (new ^ old).count_ones());
    let changed: Vec<_> = (0_u64..).zip(changed).filter(|(_, bits)| *bits > 0).collect();
    assert_eq!(changed, [(at, 1)]);
}
