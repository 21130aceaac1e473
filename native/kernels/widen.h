// Numbers of fewer bits as a register of float. By hand where the compiler makes a poor job of the loop.
#pragma once

#include <ATen/cpu/vec/vec.h>

#include <bit>
#include <cstdint>
#include <utility>

namespace understudy {

namespace {

using Floats = at::vec::Vectorized<float>;

// A bfloat16 is the upper half of a float.
inline float upperHalf(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

#if defined(CPU_CAPABILITY_AVX512)

inline Floats widenBfloat16(const uint16_t* from) {
  const __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}
inline Floats widen(const int8_t* from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
// Of as many bytes as there are lanes, the lower and the upper halves.
inline std::pair<Floats, Floats> widenNibbles(const uint8_t* from) {
  const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return {_mm512_cvtepi32_ps(_mm512_and_si512(bytes, _mm512_set1_epi32(15))),
          _mm512_cvtepi32_ps(_mm512_srli_epi32(bytes, 4))};
}

#elif defined(CPU_CAPABILITY_AVX2)

inline Floats widenBfloat16(const uint16_t* from) {
  const __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}
inline Floats widen(const int8_t* from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}
// Of as many bytes as there are lanes, the lower and the upper halves.
inline std::pair<Floats, Floats> widenNibbles(const uint8_t* from) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  return {_mm256_cvtepi32_ps(_mm256_and_si256(bytes, _mm256_set1_epi32(15))),
          _mm256_cvtepi32_ps(_mm256_srli_epi32(bytes, 4))};
}

#else

template <typename Number>
Floats eachLane(Number number) {
  float values[Floats::size()];
  for (int i = 0; i < Floats::size(); ++i) values[i] = number(i);
  return Floats::loadu(values);
}
inline Floats widenBfloat16(const uint16_t* from) {
  return eachLane([&](int i) { return upperHalf(from[i]); });
}
inline Floats widen(const int8_t* from) {
  return eachLane([&](int i) { return static_cast<float>(from[i]); });
}
// Of as many bytes as there are lanes, the lower and the upper halves.
inline std::pair<Floats, Floats> widenNibbles(const uint8_t* from) {
  return {eachLane([&](int i) { return static_cast<float>(from[i] & 15); }),
          eachLane([&](int i) { return static_cast<float>(from[i] >> 4); })};
}

#endif

}  // namespace

}  // namespace understudy
