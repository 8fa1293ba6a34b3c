//! `doctor`: is the operator there, does it fit, what may the user do, what blocks?

use serde_json::{Value, json};

use super::checks::{self, Check, Verdict};
use crate::app::{App, Format};
use crate::error::{Exit, Failure};
use crate::terminal::{Line, Style};

/// Checks the cluster, the operator, your rights, and what blocks; exit code 3 if something does
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Format: json or yaml
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    Format::check(args.output, &[Format::Json, Format::Yaml])?;
    let mut checks = vec![checks::cluster(&app.session).await?];
    checks.push(checks::crd(&app.session).await);
    checks.push(checks::operator(&app.session, app.now()).await);
    checks.push(checks::rights(&app.session).await);
    checks.push(checks::quotas(&app.session).await);
    if checks[1].verdict == Verdict::Ok {
        checks.push(checks::tasks(&app.session, app.now()).await);
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    if let Some(format) = args.output {
        let all: Vec<Value> = checks.iter().map(fields).collect();
        app.document(format, "DoctorReport", &json!({ "healthy": !failed, "checks": all }))?;
    } else {
        for line in checks.iter().flat_map(lines) {
            app.out.line(line)?;
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn fields(check: &Check) -> Value {
    let verdict = check.verdict.word().trim();
    json!({ "check": check.name, "verdict": verdict, "message": check.message, "action": check.to_do })
}

fn lines(check: &Check) -> Vec<Line> {
    let style = match check.verdict {
        Verdict::Ok => Style::Good,
        Verdict::Skip => Style::Dim,
        Verdict::Fail => Style::Bad,
    };
    let head = Line::default()
        .and(style, check.verdict.word())
        .and(Style::Plain, format!("  {:<9}  {}", check.name, check.message));
    let to_do = check.to_do.iter().map(|text| Line::new(format!("{:17}{text}", "")));
    [head].into_iter().chain(to_do).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_and_what_to_do_another() {
        let check = Check::fail("webhook", "pods are refused\nby a policy", "set a label");
        let text: Vec<String> = lines(&check).iter().map(Line::plain).collect();
        assert_eq!(text, ["FAIL  webhook    pods are refused by a policy", "                 set a label"]);
        let fields = fields(&check);
        assert_eq!((&fields["verdict"], &fields["action"]), (&json!("FAIL"), &json!("set a label")));
    }
}
