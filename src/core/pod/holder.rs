//! Another's pod has the name that an attempt needs: what is waited for, in words?

/// Who has a pod's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its controller, such as `Job nightly`; `None` if it has none.
    pub owner: Option<String>,
    /// Whether that is a task of this name that is gone, so that the pod goes, too.
    pub left_over: bool,
    /// Whether its deletion has been asked for.
    pub terminating: bool,
    /// What holds its deletion up, beside its containers.
    pub finalizers: Vec<String>,
}

impl Holder {
    /// Finalizers that are named.
    const NAMED: usize = 3;

    /// What is waited for, or what to do.
    pub fn words(&self, pod: &str) -> String {
        let of = match &self.owner {
            _ if self.left_over => " of a MapTask of this name that was deleted".to_owned(),
            Some(owner) => format!(" of {owner}"),
            None => String::new(),
        };
        if !self.terminating && self.left_over {
            return format!("waits for pod {pod}{of} to be deleted by the garbage collector");
        }
        if !self.terminating {
            let whose = self.owner.as_deref().unwrap_or("another owner");
            return format!("a pod named {pod} exists and belongs to {whose}: delete it, or rename one of the two");
        }
        let held = match self.finalizers.as_slice() {
            [] => String::new(),
            all => {
                let named: Vec<&str> = all.iter().take(Self::NAMED).map(String::as_str).collect();
                format!("; it is deleted once its finalizer {} is removed", named.join(", "))
            }
        };
        format!("waits for pod {pod}{of} to finish terminating{held}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_waits_for_a_terminating_pod_to_release_its_name_and_advises_no_deletion() {
        let words = |holder: Holder| holder.words("t-0-1");
        let job = Holder { owner: Some("Job nightly".to_owned()), ..Holder::default() };
        assert_eq!(
            words(job.clone()),
            "a pod named t-0-1 exists and belongs to Job nightly: delete it, or rename one of the two"
        );
        assert_eq!(
            words(Holder { terminating: true, ..job }),
            "waits for pod t-0-1 of Job nightly to finish terminating"
        );
        let before = Holder { owner: Some("MapTask t".to_owned()), left_over: true, ..Holder::default() };
        assert!(
            words(before.clone()).starts_with("waits for pod t-0-1 of a MapTask of this name that was deleted to be")
        );
        let finalizers = ["example.com/a", "b", "c", "d"].map(str::to_owned).to_vec();
        assert_eq!(
            words(Holder { terminating: true, finalizers, ..before }),
            "waits for pod t-0-1 of a MapTask of this name that was deleted to finish terminating; it is deleted once its finalizer \
             example.com/a, b, c is removed"
        );
    }
}
