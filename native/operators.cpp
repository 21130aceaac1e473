// One generic call for every operator: looked up in libtorch's dispatcher by name and overload, arguments converted
// by its schema, called boxed. Trailing arguments that are not given take the schema's defaults; the device of operators
// that make tensors from nothing, the process's.
#include "exports.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <deque>
#include <mutex>
#include <unordered_map>

#include "boundary.h"
#include "device.h"

namespace understudy {

namespace {

// Operators are the process's, not an environment's, and never go away: the index into this list is what
// JavaScript holds. A deque: growing it moves nothing that another thread may be reading.
struct Operator {
  c10::OperatorHandle handle;
  // Place of the argument that says where to make a tensor; -1 where tensors that are given say it.
  int deviceArgument;
};
std::mutex operatorsLock;
std::deque<Operator> operators;
std::unordered_map<std::string, size_t> operatorIndex;

const Operator& operatorAt(const Napi::Value& value) {
  if (!value.IsNumber()) throw std::runtime_error("expected an operator");
  const auto index = value.As<Napi::Number>().Uint32Value();
  std::lock_guard<std::mutex> guard(operatorsLock);
  if (index >= operators.size()) throw std::runtime_error("no such operator index");
  return operators[index];
}

int deviceArgumentOf(const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  int found = -1;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto type = arguments[i].type()->str();
    if (type.rfind("Tensor", 0) == 0) return -1;
    if (type == "Device?") found = static_cast<int>(i);
  }
  return found;
}

// ts: operator(name: string, overload: string): number
Napi::Value findOperator(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto name = info[0].ToString().Utf8Value(), overload = info[1].ToString().Utf8Value();
    const auto key = name + "." + overload;
    std::lock_guard<std::mutex> guard(operatorsLock);
    auto found = operatorIndex.find(key);
    if (found == operatorIndex.end()) {
      auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
      if (!handle) throw std::runtime_error("this libtorch has no operator " + key);
      operators.push_back({*handle, deviceArgumentOf(handle->schema())});
      found = operatorIndex.emplace(key, operators.size() - 1).first;
    }
    return Napi::Number::New(info.Env(), static_cast<double>(found->second));
  });
}

// ts: schema(operator: number): string
Napi::Value schemaOf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), c10::toString(operatorAt(info[0]).handle.schema())); });
}

// ts: call(operator: number, args: readonly unknown[]): unknown
Napi::Value callOperator(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto& environment = Environment::of(env);
    const auto& [handle, deviceArgument] = operatorAt(info[0]);
    const auto& schema = handle.schema();
    if (!info[1].IsArray()) throw std::runtime_error(schema.name() + ": expected an array of arguments");
    const auto given = info[1].As<Napi::Array>();
    const auto& arguments = schema.arguments();
    if (given.Length() > arguments.size()) {
      throw std::runtime_error(schema.name() + ": takes at most " + std::to_string(arguments.size()) + " arguments, got " +
                               std::to_string(given.Length()));
    }
    torch::jit::Stack stack;
    stack.reserve(arguments.size());
    const auto device = processDevice();
    for (uint32_t i = 0; i < arguments.size(); ++i) {
      const auto& argument = arguments[i];
      const Napi::Value value = i < given.Length() ? given.Get(i) : env.Undefined();
      if (value.IsUndefined() && static_cast<int>(i) == deviceArgument && !device.is_cpu()) {
        stack.push_back(device);
      } else if (value.IsUndefined() && argument.default_value()) {
        stack.push_back(*argument.default_value());
      } else {
        stack.push_back(toIValue(environment, value, argument.type(), schema.name() + ": " + argument.name()));
      }
    }
    handle.callBoxed(stack);
    if (stack.empty()) return env.Undefined();
    if (stack.size() == 1) return toJs(env, environment, std::move(stack[0]));
    auto results = Napi::Array::New(env, stack.size());
    for (uint32_t i = 0; i < stack.size(); ++i) results.Set(i, toJs(env, environment, std::move(stack[i])));
    return results;
  });
}

}  // namespace

void registerOperators(Napi::Env env, Napi::Object exports) {
  exports.Set("operator", Napi::Function::New(env, findOperator, "operator"));
  exports.Set("schema", Napi::Function::New(env, schemaOf, "schema"));
  exports.Set("call", Napi::Function::New(env, callOperator, "call"));
}

}  // namespace understudy
