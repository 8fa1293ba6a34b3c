//! What the API server's words about quotas and limits mean.

use crate::core::quantity::Quantity;

/// Why a pod that a quota refused can never fit it, whatever else ends; `None` if it can, as far as the words tell.
///
/// They are `… exceeded quota: NAME, requested: A=1,B=2Gi, used: A=5,B=1Gi, limited: A=5,B=2Gi`. Counts of objects are
/// left out: a quota of 0 pods is how a namespace is closed for a while.
pub fn never_fits(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("exceeded quota: ")?;
    let (quota, rest) = rest.split_once(", requested: ")?;
    let (requested, rest) = rest.split_once(", used: ")?;
    let (_, limited) = rest.split_once(", limited: ")?;
    let limit_of = |name: &str| amounts(limited).find(|(limited, _)| *limited == name).map(|(_, amount)| amount);
    let (name, requested, limit) = amounts(requested).find_map(|(name, requested)| {
        let limit = limit_of(name)?;
        let is_count = name == "pods" || name.starts_with("count/");
        let never = !is_count && Quantity::parse(requested)? > Quantity::parse(limit)?;
        never.then_some((name, requested, limit))
    })?;
    Some(format!(
        "a pod of this task requests {name}={requested}, but quota {quota} of the namespace allows {limit} in total: request \
         less in spec.template, or raise the quota"
    ))
}

/// Whether these words are a `LimitRange`'s.
pub fn is_limit_range(message: &str) -> bool {
    ["usage per Container is", "usage per Pod is", "limit to request ratio per"]
        .iter()
        .any(|words| message.contains(words))
}

/// Whether a quota counts finished pods, too.
pub fn counts_finished(message: &str) -> bool {
    message.contains("requested: count/pods=") || message.contains(",count/pods=")
}

fn amounts(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(',').filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(requested: &str, used: &str, limited: &str) -> String {
        format!(
            "pods \"t-0-1\" is forbidden: exceeded quota: q, requested: {requested}, used: {used}, limited: {limited}"
        )
    }

    #[test]
    fn what_asks_for_more_than_there_is_in_all_never_fits() {
        let why = never_fits(&message(
            "requests.memory=2Gi,pods=1",
            "requests.memory=0,pods=3",
            "requests.memory=1Gi,pods=3",
        ));
        let why = why.unwrap();
        assert!(
            why.contains("requests.memory=2Gi") && why.contains("quota q") && why.contains("1Gi in total"),
            "{why}"
        );
        assert!(never_fits(&message("limits.cpu=1500m", "limits.cpu=0", "limits.cpu=1")).is_some());
    }

    #[test]
    fn what_fits_once_others_have_ended_waits() {
        assert_eq!(never_fits(&message("pods=1", "pods=5", "pods=5")), None);
        assert_eq!(never_fits(&message("requests.cpu=1", "requests.cpu=500m", "requests.cpu=1")), None);
        assert_eq!(never_fits(&message("pods=1", "pods=0", "pods=0")), None, "a namespace that is closed for a while");
        assert_eq!(never_fits("exceeded quota"), None);
    }

    #[test]
    fn a_limit_range_is_known_by_its_words() {
        for words in [
            "pods \"t-0-1\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
            "pods \"t-0-1\" is forbidden: [maximum memory usage per Pod is 1Gi, but limit is 2147483648]",
            "pods \"t-0-1\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        ] {
            assert!(is_limit_range(words), "{words}");
        }
        assert!(!is_limit_range("admission webhook \"policy\" denied the request: usage of containers is limited"));
    }

    #[test]
    fn a_quota_on_objects_counts_finished_pods() {
        assert!(counts_finished(&message("count/pods=1", "count/pods=5", "count/pods=5")));
        assert!(!counts_finished(&message("pods=1", "pods=5", "pods=5")));
    }
}
