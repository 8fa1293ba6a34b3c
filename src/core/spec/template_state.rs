//! Are the templates of a task those that it was accepted with?

/// The state of the templates of a task.
#[derive(Debug, Default)]
pub struct Templates {
    problem: Option<String>,
    /// The accepted spec was made while they were others: no pod may be made from it.
    stand_in: bool,
    /// The dry run that is on its way is of a template that has been changed since.
    stale_check: bool,
}

impl Templates {
    /// Why nothing starts, if they are not those of the acceptance.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// They are those of the acceptance, or count as such.
    pub fn fit(&mut self) {
        self.problem = None;
    }

    /// They are others than those of the acceptance.
    pub fn differ(&mut self, problem: String) {
        self.problem = Some(problem);
    }

    /// The task is to be accepted again, with what it has now.
    pub fn accept_others(&mut self) {
        (self.problem, self.stand_in) = (None, false);
    }

    /// Whether the accepted spec was made from stand-ins.
    pub fn stand_in(&self) -> bool {
        self.stand_in
    }

    /// The accepted spec is made from stand-ins, or is not.
    pub fn set_stand_in(&mut self, stand_in: bool) {
        self.stand_in = stand_in;
    }

    /// The accepted spec is made again from the templates themselves. Whether it was made from stand-ins before.
    pub fn end_stand_in(&mut self) -> bool {
        std::mem::take(&mut self.stand_in)
    }

    /// The template has changed: the dry run that is on its way says nothing of it.
    pub fn outdate_check(&mut self) {
        self.stale_check = true;
    }

    /// Whether the dry run that is on its way says nothing of the template.
    pub fn has_stale_check(&self) -> bool {
        self.stale_check
    }

    /// A dry run was answered. Whether it says nothing of the template.
    pub fn end_stale_check(&mut self) -> bool {
        std::mem::take(&mut self.stale_check)
    }
}
