export { default } from "@/pages/compare/Compare";
