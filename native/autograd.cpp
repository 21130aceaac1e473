// The entry points of libtorch's autograd that are not operators.
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "boundary.h"
#include "exports.h"

namespace understudy {

namespace {

torch::autograd::variable_list tensorsAt(const Napi::CallbackInfo& info, size_t index, const char* what) {
  if (!info[index].IsArray()) throw std::runtime_error(std::string("grad: expected an array of ") + what);
  const auto array = info[index].As<Napi::Array>();
  torch::autograd::variable_list tensors;
  tensors.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    if (!value.IsNumber()) throw std::runtime_error(std::string("grad: expected a tensor among ") + what);
    tensors.push_back(Environment::of(info.Env()).tensor(value.As<Napi::Number>().DoubleValue()));
  }
  return tensors;
}

// Gradients of outputs with respect to inputs; null for an input that no output depends on. Without gradOutputs each
// output must be a scalar. The graph is freed unless it is to be retained.
// ts: grad(outputs: readonly number[], inputs: readonly number[], gradOutputs: readonly number[] | null, retainGraph: boolean): (number | null)[]
Napi::Value grad(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&] {
    const auto outputs = tensorsAt(info, 0, "outputs"), inputs = tensorsAt(info, 1, "inputs");
    const auto gradOutputs = info[2].IsNull() ? torch::autograd::variable_list{} : tensorsAt(info, 2, "output gradients");
    auto gradients = torch::autograd::grad(outputs, inputs, gradOutputs, info[3].ToBoolean().Value(),
                                           /*create_graph=*/false, /*allow_unused=*/true);
    auto array = Napi::Array::New(env, gradients.size());
    auto& environment = Environment::of(env);
    for (uint32_t i = 0; i < gradients.size(); ++i) {
      array.Set(i, gradients[i].defined()
                       ? Napi::Value(Napi::Number::New(env, environment.keep(std::move(gradients[i]))))
                       : env.Null());
    }
    return array;
  });
}

// ts: setRequiresGrad(tensor: number, on: boolean): void
Napi::Value setRequiresGrad(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (!info[0].IsNumber()) throw std::runtime_error("expected a tensor");
    auto tensor = Environment::of(info.Env()).tensor(info[0].As<Napi::Number>().DoubleValue());
    tensor.set_requires_grad(info[1].ToBoolean().Value());
    return info.Env().Undefined();
  });
}

// Returns what it was before. ts: setGradMode(on: boolean): boolean
Napi::Value setGradMode(const Napi::CallbackInfo& info) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(info[0].ToBoolean().Value());
  return Napi::Boolean::New(info.Env(), before);
}

}  // namespace

void registerAutograd(Napi::Env env, Napi::Object exports) {
  exports.Set("grad", Napi::Function::New(env, grad, "grad"));
  exports.Set("setRequiresGrad", Napi::Function::New(env, setRequiresGrad, "setRequiresGrad"));
  exports.Set("setGradMode", Napi::Function::New(env, setGradMode, "setGradMode"));
}

}  // namespace understudy
