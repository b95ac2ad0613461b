//! What stands inside of a node: the items of an array, the entries of a table, and the one that stands for a choice.

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{Typed, below};
use crate::config::fault::Fault;
use crate::config::tree::Node;
use crate::config::unknown;

pub(super) struct Items<'a> {
    pub(super) of: &'a Typed<'a>,
    pub(super) items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.items.find(|(_, node)| !node.refused.get()) else {
            return Ok(None);
        };
        let typed = Typed {
            node,
            key: format!("{}[{index}]", self.of.key),
            unknown: self.of.unknown,
        };
        typed.seed(seed).map(Some)
    }
}

pub(super) struct Entries<'a> {
    pub(super) of: &'a Typed<'a>,
    pub(super) left: std::collections::btree_map::Iter<'a, String, Node>,
    pub(super) known: Option<&'static [&'static str]>,
    pub(super) value: Option<(&'a str, &'a Node)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        for (name, node) in self.left.by_ref() {
            if node.refused.get() {
                continue;
            }
            if let Some(known) = self.known
                && !known.contains(&name.as_str())
            {
                unknown::record(
                    &mut self.of.unknown.borrow_mut(),
                    &below(&self.of.key, name),
                    name,
                    node,
                    known,
                );
                continue;
            }
            self.value = Some((name, node));
            let name: StrDeserializer<'_, Fault> = name.as_str().into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, node) = self
            .value
            .take()
            .ok_or_else(|| Fault::new("a value without a key"))?;
        self.of.child(node, name).seed(seed)
    }
}

pub(super) struct Variant<'a> {
    pub(super) name: String,
    pub(super) typed: Typed<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Fault;
    type Variant = Typed<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Typed<'a>), Fault> {
        let name: StringDeserializer<Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.typed))
    }
}

impl<'de> VariantAccess<'de> for Typed<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(Fault::new("expected a string"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_struct("", fields, visitor)
    }
}
