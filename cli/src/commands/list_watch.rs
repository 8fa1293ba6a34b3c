//! `list --watch`: in place on a terminal, elsewhere a line for each task that has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::list_args::{Args, cells, header, line};
use crate::app::{App, Format};
use crate::error::{Exit, Failure, code};
use crate::follow::interrupted;
use crate::read::list::{Listed, Snapshot, Tasks};
use crate::read::live::News;
use crate::terminal::screen::Screen;
use crate::terminal::{Line, Style, Table, Talk};

/// Between two looks at the news. Of a task that changes more often, only the newest version is shown.
const TICK: Duration = Duration::from_millis(500);
/// Looks after which the table is drawn again without news: ages grow.
const REDRAW: u32 = 20;

/// Shows the tasks and what changes, until Ctrl-C or SIGTERM.
pub(super) async fn run(app: &mut App, args: &Args, tasks: &Tasks, first: Snapshot) -> Result<Exit, Failure> {
    let known = Mutex::new(Known::default());
    let talk = app.talk;
    let mut hear = |news| known.lock().unwrap_or_else(PoisonError::into_inner).hear(news, talk);
    let following = tasks.follow(first, &mut hear);
    let is_table = args.output.is_none_or(|format| format == Format::Wide);
    let mut shown = match (app.out.is_terminal(), is_table) {
        (true, true) => Shown::Screen(Screen::default()),
        (false, true) => Shown::Table(Table::new(&header(args))),
        _ => Shown::Lines,
    };
    let (stop, mut ticks) = (interrupted(), tokio::time::interval(TICK));
    tokio::pin!(following, stop);
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            // The list is there before the first look.
            biased;
            end = &mut following => match end? {},
            () = &mut stop => return Ok(Exit::Interrupted),
            _ = ticks.tick() => {
                let is_due = looks.is_multiple_of(REDRAW);
                looks = looks.wrapping_add(1);
                shown.look(app, args, &mut known.lock().unwrap_or_else(PoisonError::into_inner), is_due)?;
            }
        }
    }
}

/// Namespace and name.
type Key = (String, String);

/// The tasks as they are now, and what of them was not shown yet.
#[derive(Default)]
struct Known {
    tasks: BTreeMap<Key, Listed>,
    changed: BTreeSet<Key>,
    gone: BTreeSet<Key>,
}

impl Known {
    fn hear(&mut self, news: News, talk: Talk) -> Result<(), Failure> {
        match news {
            News::All(tasks) => {
                let all: BTreeSet<Key> = tasks.iter().map(key).collect();
                let missing: Vec<Key> = self.tasks.keys().filter(|key| !all.contains(*key)).cloned().collect();
                for key in missing {
                    self.remove(key);
                }
                for task in tasks {
                    self.set(task);
                }
            }
            News::Changed(task) => self.set(*task),
            News::Gone(namespace, name) => self.remove((namespace, name)),
            // Credentials and rights that are gone do not come back by themselves.
            News::Lost(error) if matches!(code(&error), Some(401 | 403 | 404)) => return Err(Failure::from(*error)),
            News::Lost(error) => talk.say(format!("{}; trying again", Failure::from(*error).message)),
            News::Live => {}
        }
        Ok(())
    }

    fn set(&mut self, task: Listed) {
        let key = key(&task);
        if self.tasks.get(&key) != Some(&task) {
            self.gone.remove(&key);
            self.changed.insert(key.clone());
            self.tasks.insert(key, task);
        }
    }

    fn remove(&mut self, key: Key) {
        if self.tasks.remove(&key).is_some() {
            self.changed.remove(&key);
            self.gone.insert(key);
        }
    }
}

fn key(task: &Listed) -> Key {
    (task.namespace.clone(), task.name.clone())
}

/// Where it is shown.
enum Shown {
    /// In place, on a terminal.
    Screen(Screen),
    /// A table that grows by a row for each change.
    Table(Table),
    /// Data: a line for each change.
    Lines,
}

impl Shown {
    /// Shows what is new. `is_due`: the screen is drawn again in any case.
    fn look(&mut self, app: &mut App, args: &Args, known: &mut Known, is_due: bool) -> Result<(), Failure> {
        let (changed, gone) = (std::mem::take(&mut known.changed), std::mem::take(&mut known.gone));
        let is_new = !changed.is_empty() || !gone.is_empty();
        let now = app.now();
        if let Self::Screen(screen) = self {
            if !is_new && !is_due {
                return Ok(());
            }
            let shown = known.tasks.values().filter(|task| args.shows(task, now));
            let rows: Vec<Vec<(Style, String)>> = shown.map(|task| cells(task, args, now)).collect();
            return screen.draw(&mut app.out, &aligned(&header(args), &rows));
        }
        for task in changed.iter().filter_map(|key| known.tasks.get(key)).filter(|task| args.shows(task, now)) {
            self.row(app, args, task, now)?;
        }
        if let Self::Table(table) = self
            && is_new
        {
            table.begin(&mut app.out)?;
        }
        app.out.flush()?;
        for (_, name) in gone {
            app.talk.say(format!("{name} was deleted"));
        }
        Ok(())
    }

    fn row(&mut self, app: &mut App, args: &Args, task: &Listed, now: Timestamp) -> Result<(), Failure> {
        match self {
            Self::Table(table) => table.row(&mut app.out, cells(task, args, now)),
            _ => app.out.data(&line(task, args, now)),
        }
    }
}

/// The lines of a table that is all there.
fn aligned(header: &[&str], rows: &[Vec<(Style, String)>]) -> Vec<Line> {
    let head: Vec<(Style, String)> = header.iter().map(|name| (Style::Bold, (*name).to_owned())).collect();
    let width = |place: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(place));
        cells.map(|(_, cell)| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<(Style, String)>| {
        let mut line = Line::default();
        for (place, ((style, cell), width)) in row.iter().zip(&widths).enumerate() {
            let room = if place + 1 == row.len() { 0 } else { width + 3 - cell.chars().count() };
            line = line.and(*style, cell).and(Style::Plain, " ".repeat(room));
        }
        line
    };
    [&head].into_iter().chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::list::tests::row;
    use crate::terminal::{Colour, Quiet};
    use serde_json::json;

    #[test]
    fn only_what_differs_is_shown_again_and_what_is_missing_in_a_list_is_gone() {
        let talk = Talk::stderr(Colour::Never, Quiet::Yes);
        let mut known = Known::default();
        let task = |name: &str, phase: &str| row(name, &json!([phase, "0/1"]));
        let names = |keys: &mut BTreeSet<Key>| std::mem::take(keys).into_iter().map(|key| key.1).collect::<Vec<_>>();
        known.hear(News::All(vec![task("a", "Running"), task("b", "Running")]), talk).unwrap();
        assert_eq!(names(&mut known.changed), ["a", "b"]);
        known.hear(News::All(vec![task("a", "Failed"), task("c", "Running")]), talk).unwrap();
        assert_eq!(
            (names(&mut known.changed), names(&mut known.gone)),
            (vec!["a".into(), "c".into()], vec!["b".into()])
        );
        known.hear(News::Changed(Box::new(task("a", "Failed"))), talk).unwrap();
        known.hear(News::Gone("ns".to_owned(), "c".to_owned()), talk).unwrap();
        known.hear(News::Changed(Box::new(task("c", "Running"))), talk).unwrap();
        assert_eq!(names(&mut known.changed), ["c"], "it was made again");
        assert!(known.gone.is_empty());
        let denied = json!({ "code": 403, "reason": "", "message": "is forbidden", "status": "Failure" });
        let denied = kube::Error::Api(serde_json::from_value(denied).unwrap());
        assert!(known.hear(News::Lost(Box::new(denied)), talk).is_err());
        assert!(known.hear(News::Lost(Box::new(kube::Error::TlsRequired)), talk).is_ok());
    }
}
