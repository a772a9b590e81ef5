// SPDX-License-Identifier: GPL-2.0-or-later
// Decodes access units with h264bsd (the npm package tinyh264: h264bsd as WebAssembly).
//
// stdin: for each access unit its length (32 bits, little-endian) and its Annex B bytes.
// stdout: for each access unit the decoder's status, and the width, height (32 bits each)
// and I420 bytes of the picture it gave; both are 0 if it gave none. Pictures are whole
// macroblocks: h264bsd leaves cropping to its user.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const PICTURE_READY = 1
const path = createRequire(import.meta.url).resolve('tinyh264/lib/TinyH264.js')
// The package is made for a web worker, and is a module without saying so to node.
globalThis.self = { location: { href: '' } }
const source = readFileSync(path).toString('base64')
const { default: instantiate } = await import(`data:text/javascript;base64,${source}`)
const wasm = await instantiate()

const input = readFileSync(0)
const units = []
for (let at = 0; at < input.length; ) {
  const length = input.readUInt32LE(at)
  units.push(input.subarray(at + 4, at + 4 + length))
  at += 4 + length
}
const storage = wasm._h264bsdAlloc()
wasm._h264bsdInit(storage, 0)
const result = wasm._malloc(12) // picture, width, height
const bytes = wasm._malloc(Math.max(1, ...units.map((unit) => unit.length)))
const out = []
for (const unit of units) {
  wasm.HEAPU8.set(unit, bytes)
  const status = wasm._h264bsdDecode(storage, bytes, unit.length, result, result + 4, result + 8)
  const header = Buffer.alloc(12)
  header.writeUInt32LE(status, 0)
  out.push(header)
  if (status !== PICTURE_READY) continue
  const view = new DataView(wasm.HEAPU8.buffer)
  const width = view.getUint32(result + 4, true)
  const height = view.getUint32(result + 8, true)
  header.writeUInt32LE(width, 4)
  header.writeUInt32LE(height, 8)
  const picture = view.getUint32(result, true)
  out.push(Buffer.from(wasm.HEAPU8.slice(picture, picture + (width * height * 3) / 2)))
}
process.stdout.write(Buffer.concat(out))
