//! `run`: makes a task, or prints its manifest, and may follow it.

use futures::{StreamExt, TryStreamExt, future, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Resource;
use kube::api::{DeleteParams, PostParams, Preconditions};
use serde_json::{Value, json};

use super::change::DryRun;
use crate::app::{App, Format, OutputOptions, streams};
use crate::changes::FIELD_MANAGER;
use crate::cluster::Session;
use crate::error::{Exit, Failure, code};
use crate::follow::{self, Follow};
use crate::read::Task;
use crate::run::manifest::generated;
use crate::run::{Input, ItemsOptions, Manifest, TaskOptions, braces};
use crate::terminal::Out;
use crate::terminal::words::{counted, size};

/// ConfigMaps of items that are made at the same time.
const AT_ONCE: usize = 4;

/// Makes a task: one run of the command for each item
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Name of the task
    #[arg(value_name = "NAME", required_unless_present = "generate_name")]
    name: Option<String>,
    /// Prefix of a generated name: five random characters are added
    #[arg(long, value_name = "PREFIX", conflicts_with = "name")]
    generate_name: Option<String>,
    #[command(flatten)]
    items: ItemsOptions,
    #[command(flatten)]
    task: TaskOptions,
    /// Follow it to its end; Ctrl-C leaves it running
    #[arg(short, long, conflicts_with = "dry_run")]
    follow: bool,
    /// Make nothing: print the manifest, or with `server` let the API server check it
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: Option<DryRun>,
    /// Format: yaml, json or name
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    /// The command of each item: {} is the item, {key} a key of it
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Args {
    /// Whether only the manifest is printed, which needs no cluster.
    pub fn is_offline(&self) -> bool {
        self.dry_run == Some(DryRun::Client)
    }

    fn task_name(&self) -> Result<String, Failure> {
        Format::check(self.output, &[Format::Yaml, Format::Json, Format::Name])?;
        let prefix = self.generate_name.as_deref();
        Ok(self.name.clone().or_else(|| prefix.map(generated)).unwrap_or_default())
    }
}

/// Prints the manifest.
pub fn offline(args: &Args, options: &OutputOptions) -> Result<Exit, Failure> {
    let name = args.task_name()?;
    let (mut out, talk) = streams(options);
    if let Some(warning) = braces::empty_argument(&args.command) {
        talk.say(format!("warning: {warning}"));
    }
    let manifest = Manifest::new(&name, &args.task, &args.items.read()?, &args.command)?;
    print(&mut out, &manifest, args.output.unwrap_or(Format::Yaml), &name)?;
    out.finish()?;
    Ok(Exit::Done)
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let name = args.task_name()?;
    if let Some(warning) = braces::empty_argument(&args.command) {
        app.talk.say(format!("warning: {warning}"));
    }
    let input = args.items.read()?;
    let manifest = Manifest::new(&name, &args.task, &input, &args.command)?;
    let dry_run = args.dry_run == Some(DryRun::Server);
    let made = create(app, &manifest, dry_run).await.map_err(|failure| taken(failure, &name))?;
    match args.output {
        Some(Format::Name) => app.out.data(&format!("maptask.maptask.dev/{name}"))?,
        Some(format) => write(&mut app.out, format, &made)?,
        None => app.out.line(created(&name, &input, dry_run))?,
    }
    app.out.flush()?;
    if !args.follow {
        if !dry_run {
            app.talk.say(format!("follow it: kubectl maptask status {name} --watch"));
        }
        return Ok(Exit::Done);
    }
    Box::pin(follow::task(app, &name, &Follow { explain: true, ..Follow::default() })).await
}

fn created(name: &str, input: &Input, dry_run: bool) -> String {
    let place = match input.contents.len() {
        0 => String::new(),
        1 => " in a ConfigMap".to_owned(),
        number => format!(" in {number} ConfigMaps"),
    };
    let bytes = input.bytes.map(|(bytes, most)| format!(", {} of {}{place}", size(bytes as u64), size(most as u64)));
    let dry_run = if dry_run { " (server dry run)" } else { "" };
    let items = counted(input.list.count().get(), "item", "items");
    format!("maptask.maptask.dev/{name} created ({items}{}){dry_run}", bytes.unwrap_or_default())
}

fn taken(failure: Failure, name: &str) -> Failure {
    if failure.message.contains("already exists") {
        let ways = format!("--generate-name {name}-, kubectl maptask rerun {name}, or kubectl maptask delete {name}");
        return failure.hint(ways);
    }
    failure
}

/// The manifests, as they can be applied: the items before the task that needs them.
fn print(out: &mut Out, manifest: &Manifest, format: Format, name: &str) -> Result<(), Failure> {
    let objects: Vec<&Value> = manifest.config_maps.iter().chain([&manifest.task]).collect();
    match (format, objects.as_slice()) {
        (Format::Name, _) => out.data(&format!("maptask.maptask.dev/{name}"))?,
        (Format::Json, [one]) => write(out, format, one)?,
        (Format::Json, all) => write(out, format, &json!({ "apiVersion": "v1", "kind": "List", "items": all }))?,
        (_, all) => {
            for (place, object) in all.iter().enumerate() {
                if place > 0 {
                    out.data("---")?;
                }
                write(out, Format::Yaml, object)?;
            }
        }
    }
    Ok(())
}

fn write(out: &mut Out, format: Format, object: &Value) -> Result<(), Failure> {
    let text = match format {
        Format::Yaml => serde_yaml::to_string(object).map_err(|error| Failure::new(error.to_string()))?,
        _ => serde_json::to_string_pretty(object).map_err(|error| Failure::new(error.to_string()))?,
    };
    out.document(&text)
}

/// Makes the task, and then the ConfigMaps of its items, which it owns from the beginning. A task without its items
/// waits and says so; if they can't be made, it is taken back.
async fn create(app: &App, manifest: &Manifest, dry_run: bool) -> Result<Value, Failure> {
    let session = &app.session;
    let mut answer = match post(session, &manifest.task, dry_run).await {
        Ok(made) => made,
        Err(error) => {
            if code(&error) == Some(404) {
                session.check_namespace().await?;
            }
            return Err(not_made(error));
        }
    };
    let word = |field: &str| answer["metadata"][field].as_str().unwrap_or_default().to_owned();
    let (name, uid) = (word("name"), word("uid"));
    if let Some(fields) = answer["metadata"].as_object_mut() {
        fields.remove("managedFields");
    }
    let owner = json!([{ "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask",
        "name": name, "uid": uid, "controller": true }]);
    let params = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()) };
    let make = |map: &Value| {
        let mut map = map.clone();
        if !dry_run {
            map["metadata"]["ownerReferences"] = owner.clone();
        }
        let (api, params) = (session.api::<ConfigMap>(), params.clone());
        async move {
            let map = serde_json::from_value(map).map_err(|error| Failure::new(error.to_string()))?;
            api.create(&params, &map).await.map_err(Failure::from)
        }
    };
    let made = stream::iter(&manifest.config_maps).map(make).buffered(AT_ONCE).try_for_each(|_| future::ok(())).await;
    if let Err(failure) = made {
        // What was made of them goes with it.
        let preconditions = Preconditions { uid: Some(uid), resource_version: None };
        let gone = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        let taken_back = dry_run || session.api::<Task>().delete(&name, &gone).await.is_ok();
        let rest = if taken_back { "nothing was made" } else { "the task is there and waits for it: delete it" };
        return Err(failure.at("the ConfigMap of the items").hint(rest));
    }
    Ok(answer)
}

/// Why there is no task, as far as that is known.
fn not_made(error: kube::Error) -> Failure {
    let is_late = code(&error) == Some(504);
    let failure = Failure::from(error);
    if is_late {
        return failure.hint("it may have been made, without its items: look, and delete it before you repeat this");
    }
    failure
}

/// Makes the task. As with kubectl, a field that the cluster does not know is an error: an older CRD would drop it, and
/// the task would be another one.
async fn post(session: &Session, task: &Value, dry_run: bool) -> Result<Value, kube::Error> {
    let path = Task::url_path(&(), Some(&session.namespace));
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let request = http::Request::post(format!("{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{dry_run}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(task.to_string().into_bytes());
    session.client.request(request.map_err(kube::Error::HttpError)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_came_too_late_says_that_the_task_may_be_there() {
        let hint = |code: u16| {
            let status = json!({ "status": "Failure", "code": code, "reason": "", "message": "no" });
            not_made(kube::Error::Api(serde_json::from_value(status).unwrap())).hint
        };
        assert!(hint(504).unwrap().starts_with("it may have been made"));
        assert_eq!(hint(503), None);
    }
}
