// Between JavaScript values and libtorch's, by the types of an operator's schema.
#pragma once

#include <ATen/core/function_schema.h>
#include <napi.h>

#include <string>

#include "environment.h"

namespace understudy {

at::ScalarType dtypeOf(const std::string& name);
std::string nameOf(at::ScalarType dtype);
std::vector<int64_t> shapeOf(const Napi::Value& value);

// `what` names the argument in errors.
c10::IValue toIValue(Environment& environment, const Napi::Value& value, const c10::TypePtr& type,
                     const std::string& what);
Napi::Value toJs(Napi::Env env, Environment& environment, c10::IValue value);

// Runs `body` and turns everything it throws into a JavaScript error that carries libtorch's first lines.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw Napi::Error::New(env, error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  } catch (...) {
    throw Napi::Error::New(env, "an unknown native error");
  }
}

}  // namespace understudy
