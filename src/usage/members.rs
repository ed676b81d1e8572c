//! Members of JSON objects by name, without taking the rest apart.

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The values of the named members of a JSON object, in the order of `names`; the last one where a name repeats, as
/// every JSON library has it; null is absent. `None` where `json` is no object. Other members are only skipped.
pub(crate) fn members<'j, const N: usize>(
    json: &'j [u8],
    names: [&str; N],
) -> Option<[Option<&'j RawValue>; N]> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let values = json.deserialize_map(Members(names)).ok()?;
    json.end().ok()?;
    Some(values)
}

/// [`members`] of a value; all absent where it is no object.
pub(crate) fn members_of<'j, const N: usize>(
    value: Option<&'j RawValue>,
    names: [&str; N],
) -> [Option<&'j RawValue>; N] {
    value.and_then(|value| members(value.get().as_bytes(), names)).unwrap_or([None; N])
}

/// The elements of a JSON array; none where it is no array.
pub(crate) fn elements_of(value: Option<&RawValue>) -> Vec<&RawValue> {
    value.and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

struct Members<'n, const N: usize>([&'n str; N]);

impl<'j, const N: usize> Visitor<'j> for Members<'_, N> {
    type Value = [Option<&'j RawValue>; N];

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<M: MapAccess<'j>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut values = [None; N];
        while let Some(index) = map.next_key_seed(IndexIn(&self.0))? {
            match index {
                Some(index) => {
                    let value = values.get_mut(index).ok_or_else(|| M::Error::custom("no such name"))?;
                    *value = map.next_value::<Option<&RawValue>>()?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(values)
    }
}

/// Reads a member's name as its index in a list of names, without allocating.
struct IndexIn<'n>(&'n [&'n str]);

impl<'j> DeserializeSeed<'j> for IndexIn<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'j>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for IndexIn<'_> {
    type Value = Option<usize>;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}
