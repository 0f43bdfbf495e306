//! Something that is done from time to time beside a run, on a thread of its own.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Goes on until it is dropped, which waits for its end.
#[derive(Debug)]
pub struct Beat {
    is_over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    /// Does `each` to `thing` after each `pause`, as long as it returns `true`, and `last` at the end.
    pub fn start<T: Send + 'static>(
        mut thing: T,
        pause: Duration,
        mut each: impl FnMut(&mut T) -> bool + Send + 'static,
        last: impl FnOnce(T) + Send + 'static,
    ) -> Self {
        let is_over: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let end = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            loop {
                let over = end.0.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = end.1.wait_timeout_while(over, pause, |over| !*over);
                let is_over = *waited.unwrap_or_else(PoisonError::into_inner).0;
                if is_over || !each(&mut thing) {
                    break;
                }
            }
            last(thing);
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        *self.is_over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.is_over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // What panicked there has been shown; the run itself is as good as it was.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_goes_on_until_it_is_dropped_and_then_does_the_last_thing() {
        let (beats, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, ended) = (Arc::clone(&beats), Arc::clone(&ends));
        let beat = Beat::start(
            counted,
            Duration::from_millis(1),
            |beats| beats.fetch_add(1, Ordering::Relaxed) < 1000,
            move |_| {
                ended.fetch_add(1, Ordering::Relaxed);
            },
        );
        while beats.load(Ordering::Relaxed) < 3 {
            std::thread::yield_now();
        }
        drop(beat);
        let (beaten, ended) = (beats.load(Ordering::Relaxed), ends.load(Ordering::Relaxed));
        assert_eq!(ended, 1);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(beats.load(Ordering::Relaxed), beaten);
    }

    #[test]
    fn a_long_pause_delays_no_end() {
        let began = std::time::Instant::now();
        drop(Beat::start((), Duration::from_secs(3600), |()| true, drop));
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
