// What each source file adds to the addon's exports; the TypeScript mirror is src/native/addon.ts.
#pragma once

#include <napi.h>

namespace understudy {

void registerOperators(Napi::Env env, Napi::Object exports);
void registerTensors(Napi::Env env, Napi::Object exports);
void registerAutograd(Napi::Env env, Napi::Object exports);
void registerFiles(Napi::Env env, Napi::Object exports);
void registerDevice(Napi::Env env, Napi::Object exports);

}  // namespace understudy
