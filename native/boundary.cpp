#include "boundary.h"

#include <stdexcept>
#include <utility>

namespace understudy {

namespace {

const std::pair<const char*, at::ScalarType> kDtypes[] = {
    {"float32", at::kFloat}, {"float64", at::kDouble}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},    {"int32", at::kInt},      {"int16", at::kShort},  {"int8", at::kChar},
    {"uint8", at::kByte},    {"bool", at::kBool},
};

[[noreturn]] void wrong(const std::string& what, const std::string& expected) {
  throw std::runtime_error(what + ": expected " + expected);
}

double number(const Napi::Value& value, const std::string& what) {
  if (!value.IsNumber()) wrong(what, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integer(const Napi::Value& value, const std::string& what) {
  const double raw = number(value, what);
  if (raw != static_cast<double>(static_cast<int64_t>(raw))) wrong(what, "a whole number, got " + std::to_string(raw));
  return static_cast<int64_t>(raw);
}

c10::IValue toList(Environment& environment, const Napi::Value& value, const c10::TypePtr& element,
                   const std::string& what) {
  if (!value.IsArray()) {
    // libtorch lets one number stand for a list of equal ones, as in pooling sizes.
    if (element->kind() == c10::TypeKind::IntType && value.IsNumber()) return std::vector<int64_t>{integer(value, what)};
    wrong(what, "an array");
  }
  const auto array = value.As<Napi::Array>();
  c10::impl::GenericList list(element);
  list.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(toIValue(environment, array.Get(i), element, what));
  return list;
}

}  // namespace

at::ScalarType dtypeOf(const std::string& name) {
  for (const auto& [known, dtype] : kDtypes)
    if (name == known) return dtype;
  throw std::runtime_error("unknown dtype \"" + name + "\"");
}

std::string nameOf(at::ScalarType dtype) {
  for (const auto& [name, known] : kDtypes)
    if (dtype == known) return name;
  return c10::toString(dtype);
}

std::vector<int64_t> shapeOf(const Napi::Value& value) {
  if (!value.IsArray()) wrong("shape", "an array of whole numbers");
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> shape(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    shape[i] = integer(array.Get(i), "shape");
    if (shape[i] < 0) wrong("shape", "no negative size");
  }
  return shape;
}

c10::IValue toIValue(Environment& environment, const Napi::Value& value, const c10::TypePtr& type,
                     const std::string& what) {
  const bool missing = value.IsUndefined() || value.IsNull();
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      if (!value.IsNumber()) wrong(what, "a tensor");
      return environment.tensor(value.As<Napi::Number>().DoubleValue());
    case c10::TypeKind::OptionalType:
      if (missing) return c10::IValue();
      return toIValue(environment, value, type->expectRef<c10::OptionalType>().getElementType(), what);
    case c10::TypeKind::ListType:
      return toList(environment, value, type->expectRef<c10::ListType>().getElementType(), what);
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      // Schemas write dtypes, layouts and memory formats as int; dtypes come as their names.
      if (value.IsString()) return static_cast<int64_t>(dtypeOf(value.As<Napi::String>().Utf8Value()));
      return integer(value, what);
    case c10::TypeKind::FloatType:
      return number(value, what);
    case c10::TypeKind::BoolType:
      if (!value.IsBoolean()) wrong(what, "true or false");
      return value.As<Napi::Boolean>().Value();
    case c10::TypeKind::NumberType: {
      if (value.IsBoolean()) return c10::IValue(at::Scalar(value.As<Napi::Boolean>().Value()));
      const double raw = number(value, what);
      const auto whole = static_cast<int64_t>(raw);
      return raw == static_cast<double>(whole) ? c10::IValue(at::Scalar(whole)) : c10::IValue(at::Scalar(raw));
    }
    case c10::TypeKind::StringType:
      if (!value.IsString()) wrong(what, "a string");
      return value.As<Napi::String>().Utf8Value();
    case c10::TypeKind::DeviceObjType:
      if (!value.IsString()) wrong(what, "a device name such as \"cpu\"");
      return c10::Device(value.As<Napi::String>().Utf8Value());
    default:
      throw std::runtime_error(what + ": arguments of type " + type->str() + " cannot be passed from JavaScript");
  }
}

Napi::Value toJs(Napi::Env env, Environment& environment, c10::IValue value) {
  if (value.isNone()) return env.Null();
  if (value.isTensor()) {
    auto tensor = std::move(value).toTensor();
    return tensor.defined() ? Napi::Value(Napi::Number::New(env, environment.keep(std::move(tensor)))) : env.Null();
  }
  if (value.isInt()) return Napi::Number::New(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return Napi::Number::New(env, value.toDouble());
  if (value.isBool()) return Napi::Boolean::New(env, value.toBool());
  if (value.isString()) return Napi::String::New(env, value.toStringRef());
  if (value.isList()) {
    const auto list = value.toListRef();
    auto array = Napi::Array::New(env, list.size());
    for (uint32_t i = 0; i < list.size(); ++i) array.Set(i, toJs(env, environment, list[i]));
    return array;
  }
  if (value.isTuple()) {
    const auto& elements = value.toTupleRef().elements();
    auto array = Napi::Array::New(env, elements.size());
    for (uint32_t i = 0; i < elements.size(); ++i) array.Set(i, toJs(env, environment, elements[i]));
    return array;
  }
  throw std::runtime_error("a result of type " + value.tagKind() + " cannot be returned to JavaScript");
}

}  // namespace understudy
