// SPDX-License-Identifier: Apache-2.0
#pragma once

// The great-circle distance of two places, in kilometres; latitudes and longitudes in degrees.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace examples {

constexpr double kEarthKm = 6371.0088;
constexpr double kRadians = std::numbers::pi / 180;

/// As one writes it down.
inline double haversine_km(double latitude1, double longitude1, double latitude2,
                           double longitude2) {
  const double y = std::sin((latitude2 - latitude1) * kRadians / 2);
  const double x = std::sin((longitude2 - longitude1) * kRadians / 2);
  const double a = y * y + std::cos(latitude1 * kRadians) * std::cos(latitude2 * kRadians) * x * x;
  return 2 * kEarthKm * std::asin(std::min(1.0, std::sqrt(a)));
}

namespace detail {

// Into every version of the loop below: what is only called there is not vectorised with it.
#define EXAMPLES_INLINE [[gnu::always_inline]] inline

// Polynomials by Horner's rule, fitted at Chebyshev nodes; the relative error is that of a double.

// sin(x) / x of z = x * x up to pi * pi / 4.
constexpr double kSine[] = {
    1.0,
    -0.1666666666666667,
    0.008333333333333685,
    -0.00019841269841399935,
    2.7557319248000517e-06,
    -2.505211088942033e-08,
    1.6059198718563784e-10,
    -7.65280801878745e-13,
    2.9234235329491705e-15,
    -1.7487512874885807e-17,
};
// asin(x) / x of z = x * x up to 1/4.
constexpr double kArcSine[] = {
    1.0,
    0.16666666666664973,
    0.07500000000377847,
    0.04464285681189713,
    0.03038195945816865,
    0.022371755426122446,
    0.01735969440754231,
    0.013885678108356213,
    0.012164704027012564,
    0.006552567633871849,
    0.01945049029130202,
    -0.016089677810668945,
    0.031813401442307696,
};

template <int N>
EXAMPLES_INLINE double polynomial(const double (&coefficients)[N], double z) {
  double sum = coefficients[N - 1];
  for (int i = N - 2; i >= 0; --i) sum = sum * z + coefficients[i];
  return sum;
}

// The nearest whole number, by what adding a large one drops.
EXAMPLES_INLINE double nearest(double x) {
  constexpr double kLarge = 0x1.8p52;
  return (x + kLarge) - kLarge;
}

// The sine of x - turns * pi, for |..| up to pi / 2.
EXAMPLES_INLINE double sine_less(double x, double turns) {
  constexpr double kPiRest = 1.2246467991473532e-16;  // What std::numbers::pi leaves out.
  const double rest = x - turns * std::numbers::pi - turns * kPiRest;
  return rest * polynomial(kSine, rest * rest);
}

EXAMPLES_INLINE double sine_squared(double x) {
  const double sine = sine_less(x, nearest(x * std::numbers::inv_pi));
  return sine * sine;
}

// The cosine of a latitude, which is not negative.
EXAMPLES_INLINE double cosine_of_latitude(double x) {
  return std::abs(sine_less(x, nearest(x * std::numbers::inv_pi - 0.5) + 0.5));
}

// Of 0 to 1, by its root and itself.
EXAMPLES_INLINE double arc_sine(double root, double square) {
  // The smaller one is of the half where the series is good: near 0, or from 1 by the half angle.
  const double z = std::min(square, (1 - root) / 2);
  const double near = std::sqrt(z) * polynomial(kArcSine, z);
  return square < 0.25 ? near : std::numbers::pi / 2 - 2 * near;
}

#undef EXAMPLES_INLINE

}  // namespace detail

/// The same for many rows, without branches, so that the compiler makes four at a time of them
/// where the processor can. Latitudes must lie between -90 and 90.
#ifdef __x86_64__
__attribute__((target_clones("arch=x86-64-v3", "default")))
#endif
inline void
haversine_km(const double* latitude1, const double* longitude1, const double* latitude2,
             const double* longitude2, double* out, std::int64_t rows) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const double y = detail::sine_squared((latitude2[i] - latitude1[i]) * kRadians / 2);
    const double x = detail::sine_squared((longitude2[i] - longitude1[i]) * kRadians / 2);
    const double cosines = detail::cosine_of_latitude(latitude1[i] * kRadians) *
                           detail::cosine_of_latitude(latitude2[i] * kRadians);
    const double a = std::min(1.0, y + cosines * x);
    out[i] = 2 * kEarthKm * detail::arc_sine(std::sqrt(a), a);
  }
}

}  // namespace examples
