func.func @m384(%x: tensor<128x384xf32>, %w: tensor<24x384x16xf32>, %b: tensor<384xf32>) -> tensor<128x384xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %r = arith.constant 0.707106769 : f32
  %e = tensor.empty() : tensor<128x384xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x384xf32>) -> tensor<128x384xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2, d1 mod 16)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<128x384xf32>, tensor<24x384x16xf32>) outs(%f : tensor<128x384xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<128x384xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<128x384xf32>, tensor<384xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%v: f32, %bias: f32, %out: f32):
    %s = arith.addf %v, %bias : f32
    linalg.yield %s : f32
  } -> tensor<128x384xf32>
  return %y : tensor<128x384xf32>
}

func.func @m1536_gelu(%x: tensor<128x384xf32>, %w: tensor<96x384x16xf32>, %b: tensor<1536xf32>) -> tensor<128x1536xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %r = arith.constant 0.707106769 : f32
  %e = tensor.empty() : tensor<128x1536xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x1536xf32>) -> tensor<128x1536xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2, d1 mod 16)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<128x384xf32>, tensor<96x384x16xf32>) outs(%f : tensor<128x1536xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<128x1536xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<128x1536xf32>, tensor<1536xf32>) outs(%e : tensor<128x1536xf32>) {
  ^bb0(%v: f32, %bias: f32, %out: f32):
    %s = arith.addf %v, %bias : f32
    %q = arith.mulf %s, %r : f32
    %g = math.erf %q : f32
    %g1 = arith.addf %g, %one : f32
    %h = arith.mulf %s, %half : f32
    %z = arith.mulf %h, %g1 : f32
    linalg.yield %z : f32
  } -> tensor<128x1536xf32>
  return %y : tensor<128x1536xf32>
}

func.func @m1536_384(%x: tensor<128x1536xf32>, %w: tensor<24x1536x16xf32>, %b: tensor<384xf32>) -> tensor<128x384xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %r = arith.constant 0.707106769 : f32
  %e = tensor.empty() : tensor<128x384xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x384xf32>) -> tensor<128x384xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2, d1 mod 16)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<128x1536xf32>, tensor<24x1536x16xf32>) outs(%f : tensor<128x384xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<128x384xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<128x384xf32>, tensor<384xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%v: f32, %bias: f32, %out: f32):
    %s = arith.addf %v, %bias : f32
    linalg.yield %s : f32
  } -> tensor<128x384xf32>
  return %y : tensor<128x384xf32>
}

func.func @qk(%x: tensor<12x128x32xf32>, %w: tensor<12x32x128xf32>) -> tensor<12x128x128xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x128x128xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<12x128x128xf32>) -> tensor<12x128x128xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<12x128x32xf32>, tensor<12x32x128xf32>) outs(%f : tensor<12x128x128xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<12x128x128xf32>
  return %c : tensor<12x128x128xf32>
}

func.func @pv(%x: tensor<12x128x128xf32>, %w: tensor<12x128x32xf32>) -> tensor<12x128x32xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x128x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<12x128x32xf32>) -> tensor<12x128x32xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<12x128x128xf32>, tensor<12x128x32xf32>) outs(%f : tensor<12x128x32xf32>) {
  ^bb0(%lhs: f32, %rhs: f32, %acc: f32):
    %m = arith.mulf %lhs, %rhs : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<12x128x32xf32>
  return %c : tensor<12x128x32xf32>
}

func.func @softmax(%x: tensor<12x128x128xf32>) -> tensor<12x128x128xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %er = tensor.empty() : tensor<12x128xf32>
  %e = tensor.empty() : tensor<12x128x128xf32>
  %fm = linalg.fill ins(%low : f32) outs(%er : tensor<12x128xf32>) -> tensor<12x128xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<12x128x128xf32>) outs(%fm : tensor<12x128xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %a = arith.maximumf %acc, %v : f32
    linalg.yield %a : f32
  } -> tensor<12x128xf32>
  %ex = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %m : tensor<12x128x128xf32>, tensor<12x128xf32>) outs(%e : tensor<12x128x128xf32>) {
  ^bb0(%v: f32, %mx: f32, %out: f32):
    %d = arith.subf %v, %mx : f32
    %a = math.exp %d : f32
    linalg.yield %a : f32
  } -> tensor<12x128x128xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%er : tensor<12x128xf32>) -> tensor<12x128xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%ex : tensor<12x128x128xf32>) outs(%fs : tensor<12x128xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %a = arith.addf %acc, %v : f32
    linalg.yield %a : f32
  } -> tensor<12x128xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ex, %s : tensor<12x128x128xf32>, tensor<12x128xf32>) outs(%e : tensor<12x128x128xf32>) {
  ^bb0(%v: f32, %sum: f32, %out: f32):
    %d = arith.divf %v, %sum : f32
    linalg.yield %d : f32
  } -> tensor<12x128x128xf32>
  return %y : tensor<12x128x128xf32>
}

func.func @layernorm(%x: tensor<128x384xf32>, %g: tensor<384xf32>, %b: tensor<384xf32>) -> tensor<128x384xf32> {
  %zero = arith.constant 0.0 : f32
  %inv = arith.constant 2.604166667e-03 : f32
  %eps = arith.constant 1.0e-12 : f32
  %er = tensor.empty() : tensor<128xf32>
  %e = tensor.empty() : tensor<128x384xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%er : tensor<128xf32>) -> tensor<128xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<128x384xf32>) outs(%f0 : tensor<128xf32>) {
  ^bb0(%v: f32, %acc: f32):
    %a = arith.addf %acc, %v : f32
    linalg.yield %a : f32
  } -> tensor<128xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x, %s : tensor<128x384xf32>, tensor<128xf32>) outs(%f0 : tensor<128xf32>) {
  ^bb0(%v: f32, %sum: f32, %acc: f32):
    %mean = arith.mulf %sum, %inv : f32
    %d = arith.subf %v, %mean : f32
    %d2 = arith.mulf %d, %d : f32
    %a = arith.addf %acc, %d2 : f32
    linalg.yield %a : f32
  } -> tensor<128xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %s, %q, %g, %b : tensor<128x384xf32>, tensor<128xf32>, tensor<128xf32>, tensor<384xf32>, tensor<384xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%v: f32, %sum: f32, %sq: f32, %gamma: f32, %beta: f32, %out: f32):
    %mean = arith.mulf %sum, %inv : f32
    %d = arith.subf %v, %mean : f32
    %var = arith.mulf %sq, %inv : f32
    %ve = arith.addf %var, %eps : f32
    %rs = math.rsqrt %ve : f32
    %n = arith.mulf %d, %rs : f32
    %ng = arith.mulf %n, %gamma : f32
    %o = arith.addf %ng, %beta : f32
    linalg.yield %o : f32
  } -> tensor<128x384xf32>
  return %y : tensor<128x384xf32>
}

func.func @transpose(%x: tensor<128x12x32xf32>) -> tensor<12x32x128xf32> {
  %e = tensor.empty() : tensor<12x32x128xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<128x12x32xf32>) outs(%e : tensor<12x32x128xf32>) {
  ^bb0(%v: f32, %out: f32):
    linalg.yield %v : f32
  } -> tensor<12x32x128xf32>
  return %y : tensor<12x32x128xf32>
}

func.func @add(%x: tensor<128x384xf32>, %z: tensor<128x384xf32>) -> tensor<128x384xf32> {
  %e = tensor.empty() : tensor<128x384xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %z : tensor<128x384xf32>, tensor<128x384xf32>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%v: f32, %w: f32, %out: f32):
    %a = arith.addf %v, %w : f32
    linalg.yield %a : f32
  } -> tensor<128x384xf32>
  return %y : tensor<128x384xf32>
}
