// RUN: tet-opt %s -verify-diagnostics -split-input-file
//
// The numbered constraints of control flow and structure.

func.func @if_c1(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{false branch does not return the result types (C1)}}
  %0 = tet.if %p : (tensor<i1>) -> tensor<2xf32> {
    tet.return %x : tensor<2xf32>
  } else {
    tet.return %p : tensor<i1>
  }
  return
}

// -----

func.func @while_c1(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{operands, results and the values of both regions differ in type (C1)}}
  %0 = tet.while (%x) : tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    tet.return %p : tensor<i1>
  } do {
  ^bb0(%a: tensor<2xf32>):
    tet.return %p : tensor<i1>
  }
  return
}

// -----

func.func @while_c2(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{condition does not return one tensor<i1> (C2)}}
  %0 = tet.while (%x) : tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    tet.return %a : tensor<2xf32>
  } do {
  ^bb0(%a: tensor<2xf32>):
    tet.return %a : tensor<2xf32>
  }
  return
}

// -----

func.func @composite_c1(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{region arguments differ in type from the inputs (C1)}}
  %0 = tet.composite "f" (%x) : (tensor<2xf32>) -> tensor<3xf32> {
  ^bb0(%a: tensor<3xf32>):
    tet.return %a : tensor<3xf32>
  }
  return
}

// -----

func.func @composite_c2(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{region does not return the result types (C2)}}
  %0 = tet.composite "f" (%x) : (tensor<2xf32>) -> tensor<3xf32> {
  ^bb0(%a: tensor<2xf32>):
    tet.return %a : tensor<2xf32>
  }
  return
}

// -----

func.func @task_c1(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{region argument 0 does not have the storage type of its input (C1)}}
  %0 = tet.task "t" (%i) : (tensor<2xi1>) -> tensor<2xi1> {
  ^bb0(%a: tensor<2xi1>):
    tet.yield %a : tensor<2xi1>
  }
  return
}

// -----

func.func @task_c1_result(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{yielded value 0 does not have the storage type of its result (C1)}}
  %0 = tet.task "t" (%i) : (tensor<2xi1>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xi8>):
    tet.yield %a : tensor<2xi8>
  }
  return
}

// -----

func.func @task_c1_count(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{region argument 1 does not have the storage type of its input (C1)}}
  %0 = tet.task "t" (%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    tet.yield %a : tensor<2xf32>
  }
  return
}

// -----

func.func @task_c2(%p: tensor<i1>, %x: tensor<2xf32>, %i: tensor<2xi1>) {
  // expected-error @below {{holds 'tet.abs', which is not of linalg, tensor, arith, math or scf (C2)}}
  %0 = tet.task "t" (%x) : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    %1 = tet.abs %a : tensor<2xf32>
    tet.yield %1 : tensor<2xf32>
  }
  return
}
