//! How the memory of the containers of a template grows after attempts that had too little.

use serde_json::{Map, Value, json};

use crate::api::retry_policy::OutOfMemory;
use crate::core::phases::Raises;
use crate::core::pod::TemplateError;
use crate::core::quantity::Quantity;

/// How the memory of the containers of a template grows, each by itself.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    /// Containers that can grow, in the order of their counts: the item's first, then the others as in the template.
    containers: Vec<Container>,
    factor: f64,
    most: String,
}

#[derive(Clone, Debug)]
struct Container {
    name: String,
    request: Option<Quantity>,
    limit: Quantity,
    most: Quantity,
}

impl Growth {
    /// Of the containers that have a limit below the most that there may be. The item's container must not begin above
    /// it, and one container at least must have a limit.
    pub(super) fn of(growth: &OutOfMemory, spec: &Map<String, Value>, item: &str) -> Result<Self, TemplateError> {
        if !(growth.factor > 1.0 && growth.factor <= 10.0) {
            return Err(TemplateError::MemoryFactor(growth.factor.to_string()));
        }
        let most = Quantity::parse(&growth.max_memory);
        let of_list = |list: &str| spec.get(list).and_then(Value::as_array).into_iter().flatten();
        let mut limited = Vec::new();
        for container in of_list("initContainers").chain(of_list("containers")) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            let Some(limit) = amount(container, "limits") else { continue };
            limited.push((name == item, name, limit, amount(container, "requests")));
        }
        limited.sort_by_key(|(is_item, ..)| !is_item);
        let Some((_, first, first_limit, _)) = limited.first().copied() else {
            return Err(TemplateError::NoMemoryLimit(item.to_owned()));
        };
        let grows = |limit: Quantity| most.filter(|most| *most > limit);
        if grows(first_limit).is_none() {
            return Err(TemplateError::MaxMemory(growth.max_memory.clone(), first.to_owned(), first_limit));
        }
        let container = |(_, name, limit, request): (bool, &str, Quantity, Option<Quantity>)| {
            Some(Container { name: name.to_owned(), request, limit, most: grows(limit)? })
        };
        let containers = limited.into_iter().filter_map(container).take(Raises::CONTAINERS).collect();
        Ok(Self { containers, factor: growth.factor, most: growth.max_memory.clone() })
    }

    /// The position of a container that was short; `None` for one that can't grow.
    pub fn position(&self, container: &str) -> Option<usize> {
        self.containers.iter().position(|known| known.name == container)
    }

    /// The position of a container that was short and can be raised further; `None` for one that can't.
    pub fn container_to_raise(&self, container: &str, raises: Raises) -> Option<usize> {
        let position = self.position(container)?;
        let Container { request, limit, most, .. } = &self.containers[position];
        let times = self.times(raises.of(position));
        let has_most = |amount: &Quantity| amount.grown(times, *most) >= *most;
        let is_all = has_most(limit) && request.as_ref().is_none_or(has_most) || raises.of(position) == Raises::MOST;
        (!is_all).then_some(position)
    }

    /// Why the memory of a container that was short is not raised further; `None` if it is.
    pub fn why_not(&self, container: &str, raises: Raises) -> Option<String> {
        if self.containers.is_empty() {
            return None;
        }
        let Some(position) = self.position(container) else {
            return Some(format!(
                "the memory of container {container} is not raised: its limit is not in spec.template, or is not below \
                 retryPolicy.outOfMemory.maxMemory, {}",
                self.most
            ));
        };
        let Container { limit, most, .. } = &self.containers[position];
        (limit.grown(self.times(raises.of(position)), *most) >= *most || raises.of(position) == Raises::MOST).then(
            || {
                format!(
                    "the memory of container {container} is already at retryPolicy.outOfMemory.maxMemory, {}",
                    self.most
                )
            },
        )
    }

    /// Gives the containers of a pod what they have after this many raises.
    pub(super) fn raise(&self, spec: &mut Map<String, Value>, raises: Raises) {
        if raises.is_none() {
            return;
        }
        for list in ["initContainers", "containers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let position = container.get("name").and_then(Value::as_str).and_then(|name| self.position(name));
                let Some(position) = position.filter(|position| raises.of(*position) > 0) else { continue };
                let Container { request, limit, most, .. } = &self.containers[position];
                let times = self.times(raises.of(position));
                container["resources"]["limits"]["memory"] = json!(limit.grown(times, *most).to_string());
                if let Some(request) = request {
                    container["resources"]["requests"]["memory"] = json!(request.grown(times, *most).to_string());
                }
            }
        }
    }

    fn times(&self, raises: u32) -> f64 {
        self.factor.powi(i32::try_from(raises).unwrap_or(i32::MAX))
    }
}

fn amount(container: &Value, kind: &str) -> Option<Quantity> {
    let value = container.get("resources")?.get(kind)?.get("memory")?;
    Quantity::parse(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, Index, PodRole, TaskKey};
    use crate::core::pod::PodTemplate;

    fn container(name: &str, memory: &Value) -> Value {
        json!({ "name": name, "resources": memory })
    }

    fn growing(spec: &Value, most: &str) -> Result<PodTemplate, TemplateError> {
        let mut template = PodTemplate::accept(&json!({ "spec": spec }), Some("main")).unwrap();
        template.grow_memory(&OutOfMemory { factor: 2.0, max_memory: most.to_owned() })?;
        Ok(template)
    }

    fn raises(counts: &[u32]) -> Raises {
        let all = counts.iter().enumerate().flat_map(|(position, count)| (0..*count).map(move |_| position));
        all.fold(Raises::NONE, Raises::raised)
    }

    fn pod(template: &PodTemplate, counts: &[u32]) -> Value {
        template.pod(&TaskKey::new("ns", "t"), "u-1", PodRole::Item(Index(3), Attempt(2)), &[], raises(counts))["spec"]
            .clone()
    }

    #[test]
    fn memory_grows_by_its_factor_up_to_its_cap() {
        let memory = json!({ "requests": { "memory": "50Mi" }, "limits": { "memory": "100Mi" } });
        let template = growing(&json!({ "containers": [container("main", &memory)] }), "300Mi").unwrap();
        let memory = |count| {
            let pod = pod(&template, &[count]);
            let of = |kind: &str| pod["containers"][0]["resources"][kind]["memory"].as_str().unwrap().to_owned();
            (of("requests"), of("limits"))
        };
        assert_eq!(memory(0), ("50Mi".to_owned(), "100Mi".to_owned()));
        assert_eq!(memory(1), ("100Mi".to_owned(), "200Mi".to_owned()));
        assert_eq!(memory(2), ("200Mi".to_owned(), "300Mi".to_owned()));
        assert_eq!(memory(1_000), ("300Mi".to_owned(), "300Mi".to_owned()));
    }

    #[test]
    fn each_container_grows_by_itself_and_the_items_comes_first() {
        let limit = |memory: &str| json!({ "limits": { "memory": memory } });
        let template = growing(
            &json!({
                "initContainers": [container("init", &limit("10Mi"))],
                "containers": [
                    container("side", &limit("20Mi")),
                    container("open", &json!({})),
                    container("large", &limit("2Gi")),
                    container("main", &limit("30720Ki")),
                ],
            }),
            "1Gi",
        )
        .unwrap();
        let growth = template.growth();
        let positions = ["main", "init", "side", "open", "large", "nobody"].map(|name| growth.position(name));
        assert_eq!(positions, [Some(0), Some(1), Some(2), None, None, None]);
        let pod = pod(&template, &[0, 1, 2]);
        let limit = |list: &str, at: usize| pod[list][at]["resources"]["limits"]["memory"].clone();
        assert_eq!((limit("initContainers", 0), limit("containers", 0)), (json!("20Mi"), json!("80Mi")));
        assert_eq!(
            (limit("containers", 2), limit("containers", 3)),
            (json!("2Gi"), json!("30720Ki")),
            "as it was written"
        );
        assert!(growth.why_not("side", raises(&[0, 0, 2])).is_none());
        assert!(
            growth.why_not("side", raises(&[0, 0, 6])).unwrap().contains("at retryPolicy.outOfMemory.maxMemory, 1Gi")
        );
        assert!(growth.why_not("open", Raises::NONE).unwrap().contains("container open is not raised"));
        assert_eq!(Growth::default().why_not("open", Raises::NONE), None, "nobody asked for more");
    }

    #[test]
    fn memory_that_can_not_grow_is_refused_with_what_to_do() {
        let grow = |memory: &str, most: &str| {
            let memory = json!({ "limits": { "memory": memory } });
            growing(&json!({ "containers": [container("main", &memory)] }), most).unwrap_err().to_string()
        };
        assert!(grow("oops", "1Gi").contains("resources.limits.memory"));
        assert!(grow("2Gi", "1Gi").contains("maxMemory is 1Gi"));
        assert!(grow("1Gi", "1Gi").contains("starts with a limit of 1Gi"), "it could not grow");
        let mut template =
            PodTemplate::accept(&json!({ "spec": { "containers": [{ "name": "main" }] } }), None).unwrap();
        let mut error = |factor| {
            let growth = OutOfMemory { factor, max_memory: "4Gi".to_owned() };
            template.grow_memory(&growth).unwrap_err().to_string()
        };
        for factor in [0.5, 1.0, 10.5, f64::NAN, f64::INFINITY] {
            assert!(error(factor).contains(&format!("factor is {factor}")), "{}", error(factor));
        }
        for factor in [1.01, 10.0] {
            assert!(error(factor).contains("no container of spec.template has one"), "{}", error(factor));
        }
    }
}
