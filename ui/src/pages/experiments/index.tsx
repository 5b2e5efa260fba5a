export { default } from "@/pages/experiments/Experiments";
